package sasl

// Condition is a SASL error condition, spelt as the element of RFC 6120 §6.5.
type Condition string

// The conditions of RFC 6120 §6.5, all of them.
const (
	Aborted              Condition = "aborted"                // the initiating entity gave up with <abort/>
	AccountDisabled      Condition = "account-disabled"       // the account is disabled for the time being
	CredentialsExpired   Condition = "credentials-expired"    // the token was good once
	EncryptionRequired   Condition = "encryption-required"    // the mechanism needs an encrypted stream
	IncorrectEncoding    Condition = "incorrect-encoding"     // the data is not base64
	InvalidAuthzid       Condition = "invalid-authzid"        // the authzid is bad, or somebody else's
	InvalidMechanism     Condition = "invalid-mechanism"      // the mechanism is not offered
	MalformedRequest     Condition = "malformed-request"      // the message has not the form of the mechanism
	MechanismTooWeak     Condition = "mechanism-too-weak"     // the mechanism is weaker than policy permits
	NotAuthorized        Condition = "not-authorized"         // the credentials are wrong; says no more on purpose
	TemporaryAuthFailure Condition = "temporary-auth-failure" // our side cannot tell now; try again later
)
