// The error contract, version {{ version }}.
// Written by `error-envelope catalogue --format go`: do not edit.

// Package errorcontract has the error codes of the contract, and what a client may do about each.
package errorcontract

// Retry is what a client may do with a request that failed.
type Retry string

const (
	// The same request will fail again.
	RetryNo Retry = "no"
	// The same request may work later: wait Retry-After where it is given, else back off.
	RetryBackoff Retry = "backoff"
	// Read the state again first, then build a new request.
	RetryRefresh Retry = "refresh"
)

// ErrorCode is what to match on: it never changes its meaning. The set is open: a service may send codes that were not
// in the contract when this file was written.
type ErrorCode string

const (
{% for group in groups %}
{% if not loop.first %}

{% endif %}
	// Group {{ group.name }}.

{% for code in group.codes %}
	// {{ code.summary }}
	Code{{ code.name | pascal }} ErrorCode = "{{ code.name }}"
{% endfor %}
{% endfor %}
)

type about struct {
	status  int
	retry   Retry
	message string
}

func (code ErrorCode) about() (about, bool) {
	switch code {
{% for code in codes %}
	case Code{{ code.name | pascal }}:
		return about{% raw %}{{% endraw %}{{ code.status }}, Retry{{ code.retry | pascal }}, {{ code.message | literal }}}, true
{% endfor %}
	default:
		return about{0, RetryBackoff, ""}, false
	}
}

// IsKnown reports whether the code was in the contract when this file was written.
func (code ErrorCode) IsKnown() bool {
	_, known := code.about()
	return known
}

// Status is the usual HTTP status, and 0 of a code that is not listed. A service may send the code with another.
func (code ErrorCode) Status() int {
	about, _ := code.about()
	return about.status
}

// Retry is what a client may do after this code. One that is not listed is transient.
func (code ErrorCode) Retry() Retry {
	about, _ := code.about()
	return about.retry
}

// Advised is what a client may do after an error with this code whose own field "retry" is word, or empty.
func (code ErrorCode) Advised(word string) Retry {
	switch retry := Retry(word); retry {
	case RetryNo, RetryBackoff, RetryRefresh:
		return retry
	default:
		return code.Retry()
	}
}

// Message is for people and free to change. It is empty where the code is not listed.
func (code ErrorCode) Message() string {
	about, _ := code.about()
	return about.message
}
