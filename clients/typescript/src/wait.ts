const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The three forms that RFC 9110 §5.6.7 requires recipients to accept. `Date.parse` accepts many more, such as "1.5". */
const DATES = [
  /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/,
];

/** The longest wait that can be reported, in seconds: 10,000 years. */
const MOST_SECONDS = 315_576_000_000;

/**
 * Returns the wait that a response requests, in milliseconds. Returns `undefined` if it requests none, or uses an unknown
 * form.
 *
 * `retry-after` has seconds, or a date. A date is compared with the response's own `date`, or with `now` if there is none.
 * A date in the past means no wait.
 */
export function retryAfter(response: Pick<Response, "headers">, now: () => number = Date.now): number | undefined {
  const value = response.headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(value)) return Math.min(Number(value), MOST_SECONDS) * 1000;
  const until = dateOf(value);
  if (until === undefined) return undefined;
  const since = dateOf(response.headers.get("date")?.trim() ?? "") ?? now();
  return Math.min(Math.max(0, Math.ceil((until - since) / 1000)), MOST_SECONDS) * 1000;
}

function dateOf(text: string): number | undefined {
  const found = DATES.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (found === undefined) return undefined;
  const { day = "", month = "", year = "", time = "" } = found;
  const at = MONTHS.indexOf(month);
  const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number);
  // Two digits mean the years 1970 to 2069.
  const full = year.length === 2 ? Number(year) + (Number(year) < 70 ? 2000 : 1900) : Number(year);
  const valid = at >= 0 && Number(day) >= 1 && Number(day) <= 31 && hours < 24 && minutes < 60 && seconds <= 60;
  return valid ? Date.UTC(full, at, Number(day), hours, minutes, seconds) : undefined;
}
