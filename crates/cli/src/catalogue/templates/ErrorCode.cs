
using System;
using System.Collections.Generic;

namespace ErrorContract
{
    /// <summary>What a client may do with a request that failed.</summary>
    public enum Retry
    {
        /// <summary>The same request will fail again.</summary>
        No,
        /// <summary>The same request may work later: wait Retry-After where it is given, else back off.</summary>
        Backoff,
        /// <summary>Read the state again first, then build a new request.</summary>
        Refresh,
    }

    /// <summary>What to match on: a code never changes its meaning. The set is open.</summary>
    public sealed class ErrorCode : IEquatable<ErrorCode>
    {
        internal ErrorCode(string code, int status, Retry retry, string message)
        {
            Code = code;
            Status = status;
            Retry = retry;
            Message = message;
        }

        /// <summary>Its name, as services send it.</summary>
        public string Code { get; }

        /// <summary>The usual HTTP status, and 0 of a code that is not listed.</summary>
        public int Status { get; }

        /// <summary>What a client may do. A code that is not listed is transient.</summary>
        public Retry Retry { get; }

        /// <summary>What a client may do after an error with this code whose own field "retry" is the word, or null.</summary>
        public Retry Advised(string word)
        {
            switch (word)
            {
                case "no": return Retry.No;
                case "backoff": return Retry.Backoff;
                case "refresh": return Retry.Refresh;
                default: return Retry;
            }
        }

        /// <summary>For people, and free to change; empty where the code is not listed.</summary>
        public string Message { get; }

        /// <summary>Whether it was in the contract when this file was written.</summary>
        public bool IsKnown { get { return ErrorCodes.Known.ContainsKey(Code); } }

        /// <summary>The code of that name.</summary>
        public static ErrorCode Of(string code)
        {
            ErrorCode known;
            return ErrorCodes.Known.TryGetValue(code, out known) ? known : new ErrorCode(code, 0, Retry.Backoff, "");
        }

        /// <inheritdoc/>
        public bool Equals(ErrorCode other) { return other != null && other.Code == Code; }

        /// <inheritdoc/>
        public override bool Equals(object other) { return Equals(other as ErrorCode); }

        /// <inheritdoc/>
        public override int GetHashCode() { return Code.GetHashCode(); }

        /// <inheritdoc/>
        public override string ToString() { return Code; }
    }

    /// <summary>The codes of the contract when this file was written. A service may send others.</summary>
    public static class ErrorCodes
    {
        private static readonly Dictionary<string, ErrorCode> all = new Dictionary<string, ErrorCode>();

        /// <summary>They by name.</summary>
        public static IReadOnlyDictionary<string, ErrorCode> Known { get { return all; } }

@codes@

        private static ErrorCode Add(string code, int status, Retry retry, string message)
        {
            return all[code] = new ErrorCode(code, status, retry, message);
        }
    }
}
