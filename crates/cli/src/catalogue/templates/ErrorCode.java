
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** What to match on: a code never changes its meaning. The set is open: a service may send others than these. */
public final class ErrorCode {
    /** What a client may do with a request that failed. */
    public enum Retry {
        /** The same request will fail again. */
        NO,
        /** The same request may work later: wait Retry-After where it is given, else back off. */
        BACKOFF,
        /** Read the state again first, then build a new request. */
        REFRESH
    }

    // In capitals it could be a code's constant.
    private static final Map<String, ErrorCode> known = new LinkedHashMap<>();

@codes@

    private final String code;
    private final int status;
    private final Retry retry;
    private final String message;

    private ErrorCode(String code, int status, Retry retry, String message) {
        this.code = code;
        this.status = status;
        this.retry = retry;
        this.message = message;
    }

    private static ErrorCode known(String code, int status, Retry retry, String message) {
        ErrorCode made = new ErrorCode(code, status, retry, message);
        known.put(code, made);
        return made;
    }

    /** The code of that name. One that is not listed is transient. */
    public static ErrorCode of(String code) {
        ErrorCode found = known.get(code);
        return found != null ? found : new ErrorCode(code, 0, Retry.BACKOFF, "");
    }

    /** The codes of the contract when this file was written. */
    public static Collection<ErrorCode> known() {
        return Collections.unmodifiableCollection(known.values());
    }

    /** Whether it was in the contract when this file was written. */
    public boolean isKnown() {
        return known.containsKey(code);
    }

    /** Its name, as services send it. */
    public String code() {
        return code;
    }

    /** The usual HTTP status, and 0 of a code that is not listed. A service may send the code with another. */
    public int status() {
        return status;
    }

    /** What a client may do. */
    public Retry retry() {
        return retry;
    }

    /** What a client may do after an error with this code whose own field {@code retry} is the word, or null. */
    public Retry advised(String word) {
        for (Retry each : Retry.values()) {
            if (each.name().toLowerCase(Locale.ROOT).equals(word)) {
                return each;
            }
        }
        return retry;
    }

    /** For people, and free to change. It is empty where the code is not listed. */
    public String message() {
        return message;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ErrorCode && ((ErrorCode) other).code.equals(code);
    }

    @Override
    public int hashCode() {
        return code.hashCode();
    }

    @Override
    public String toString() {
        return code;
    }
}
