package bosh

// Condition is a terminal binding condition (XEP-0124 §17.2). As an error it
// says what rule the client has broken.
type Condition string

// The conditions that are used.
const (
	BadRequest             Condition = "bad-request"
	HostUnknown            Condition = "host-unknown"
	ImproperAddressing     Condition = "improper-addressing"
	InternalServerError    Condition = "internal-server-error"
	ItemNotFound           Condition = "item-not-found"
	OtherRequest           Condition = "other-request"
	PolicyViolation        Condition = "policy-violation"
	RemoteConnectionFailed Condition = "remote-connection-failed"
	RemoteStreamError      Condition = "remote-stream-error"
	SystemShutdown         Condition = "system-shutdown"
)

func (c Condition) Error() string { return "bosh: " + string(c) }

// legacyStatus is the HTTP status that clients without 'ver' get in its place
// (XEP-0124 §17.1).
func (c Condition) legacyStatus() int {
	switch c {
	case BadRequest:
		return 400
	case PolicyViolation:
		return 403
	case ItemNotFound:
		return 404
	}
	return 200
}
