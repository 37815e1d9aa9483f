package server

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
	"mellium.im/xmpp/jid"

	"xtokend/component/upstream"
	"xtokend/internal/element"
	"xtokend/sasl"
)

const (
	// minIterations is that of RFC 5802 §5.1 and of ejabberd; maxIterations
	// costs about 200 ms, and more would be an attack on our processors.
	minIterations = 4096
	maxIterations = 1_000_000

	// maxSaltBytes is far above what servers use (16 to 36).
	maxSaltBytes = 256
)

// hash is a SCRAM mechanism's hash function.
type hash struct {
	mechanism string
	function  scram.HashGeneratorFcn
}

// hashes are the mechanisms that are used, the preferred one first.
var hashes = []hash{
	{"SCRAM-SHA-256", scram.SHA256},
	{"SCRAM-SHA-1", scram.SHA1},
}

// errNotAuthorized: the server knows no such user with this password.
var errNotAuthorized = errors.New("not-authorized")

// authenticate logs the user in (RFC 6120 §6.4, RFC 5802). On success the
// server has proved that it knows the password too, and nothing was read
// beyond <success/>.
func (st *stream) authenticate(ctx context.Context, k *keys, user jid.JID, password string) error {
	h, err := st.chooseHash()
	if err != nil {
		return err
	}
	exchange, err := newExchange(k, h, user, password)
	if err != nil {
		return err
	}
	initialResponse, err := exchange.first()
	if err != nil {
		return err
	}
	err = st.send("<auth xmlns='" + nsSASL + "' mechanism='" + h.mechanism + "'>" + encode(initialResponse) + "</auth>")
	if err != nil {
		return err
	}
	for {
		e, err := st.next()
		if err != nil {
			return err
		}
		switch {
		case e.Name.Space != nsSASL:
			return fmt.Errorf("unexpected <%.64s/>", e.Name.Local)
		case e.Name.Local == "challenge":
			challenge, err := decode(e.Text)
			if err != nil {
				return err
			}
			response, err := exchange.answer(ctx, challenge)
			if err != nil {
				return err
			}
			if err := st.send("<response xmlns='" + nsSASL + "'>" + encode(response) + "</response>"); err != nil {
				return err
			}
		case e.Name.Local == "success":
			additionalData, err := decode(e.Text)
			if err != nil {
				return err
			}
			if err := exchange.verify(additionalData); err != nil {
				return err
			}
			return st.nothingAhead()
		case e.Name.Local == "failure":
			return refusal(e)
		default:
			return fmt.Errorf("unexpected <%.64s/>", e.Name.Local)
		}
	}
}

// chooseHash picks the best mechanism that the server offers.
func (st *stream) chooseHash() (hash, error) {
	mechanisms, ok := st.features.Child(nsSASL, "mechanisms")
	if !ok {
		if _, tls := st.features.Child(nsTLS, "starttls"); tls {
			return hash{}, errors.New("the server offers no mechanism without STARTTLS (set tls to \"starttls\", or let the server accept unencrypted streams on loopback)")
		}
		return hash{}, errors.New("the server offers no mechanism")
	}
	offered := make(map[string]bool, len(mechanisms.Children))
	for _, m := range mechanisms.Children {
		offered[strings.TrimSpace(m.Text)] = true
	}
	for _, h := range hashes {
		if offered[h.mechanism] {
			return h, nil
		}
	}
	return hash{}, errors.New("the server offers neither SCRAM-SHA-256 nor SCRAM-SHA-1")
}

// refusal translates the server's <failure/>.
func refusal(failure element.Element) error {
	said := describe(failure, nsSASL)
	switch c := sasl.Condition(condition(failure, nsSASL)); c {
	case sasl.NotAuthorized:
		return errNotAuthorized
	case sasl.AccountDisabled:
		return &upstream.Refusal{Condition: c, Reason: "account-disabled", Err: errors.New(said)}
	case sasl.Aborted, sasl.CredentialsExpired, sasl.EncryptionRequired,
		sasl.IncorrectEncoding, sasl.InvalidAuthzid, sasl.InvalidMechanism, sasl.MalformedRequest,
		sasl.MechanismTooWeak, sasl.TemporaryAuthFailure:
		return &upstream.Refusal{Condition: c, Reason: "server-refuses", Err: errors.New(said)}
	default:
		return fmt.Errorf("failure %s", said)
	}
}

// encode writes SASL data for an element; "=" stands for empty data only in
// an initial response and in success (RFC 6120 §6.4.2), which never is.
func encode(data string) string { return base64.StdEncoding.EncodeToString([]byte(data)) }

func decode(text string) (string, error) {
	if text == "=" { // RFC 6120 §6.4.6: additional data that is empty
		return "", nil
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", errors.New("the server's answer is not base64")
	}
	return string(data), nil
}

// exchange is one login's SCRAM conversation.
type exchange struct {
	keys         *keys
	id           keyID
	nonce        string
	client       *scram.Client // this login's own, until keys are found
	conversation *scram.ClientConversation
	answered     bool
}

func newExchange(k *keys, h hash, user jid.JID, password string) (*exchange, error) {
	// Servers prepare names themselves, and SASLprep must not turn this one
	// into another.
	client, err := h.function.NewClientUnprepped(user.Localpart(), password, "")
	if err != nil {
		return nil, err
	}
	return &exchange{keys: k, id: keyID{user.String(), h.mechanism, password}, nonce: newNonce(), client: client}, nil
}

// first returns client-first-message.
func (x *exchange) first() (string, error) {
	x.conversation = x.client.WithNonceGenerator(x.fixedNonce).NewConversation()
	return x.conversation.Step("")
}

func (x *exchange) fixedNonce() string { return x.nonce }

// answer takes server-first-message and returns client-final-message. The
// server-final-message may come as a challenge too; its answer is empty.
func (x *exchange) answer(ctx context.Context, challenge string) (string, error) {
	if x.answered {
		return x.conversation.Step(challenge)
	}
	x.answered = true
	factors, err := keyFactors(challenge)
	if err != nil {
		return "", err
	}
	kept, err := x.keys.get(ctx, x.id, factors, x.client)
	if err != nil {
		return "", err
	}
	var response string
	x.conversation, response, err = kept.proof(x.nonce, challenge)
	return response, err
}

// verify takes the data that came with success and asks for the server's
// proof.
func (x *exchange) verify(additionalData string) error {
	if x.answered && additionalData != "" {
		if _, err := x.conversation.Step(additionalData); err != nil {
			return fmt.Errorf("the server does not know the password it accepts: %w", err)
		}
	}
	if !x.answered || !x.conversation.Valid() {
		return errors.New("the server has not proved that it knows the password")
	}
	return nil
}

// keyFactors reads salt and iterations out of server-first-message
// (RFC 5802 §7), by the same rules as the conversation does later.
func keyFactors(serverFirst string) (scram.KeyFactors, error) {
	fields := strings.Split(serverFirst, ",")
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r=") ||
		!strings.HasPrefix(fields[1], "s=") || !strings.HasPrefix(fields[2], "i=") {
		return scram.KeyFactors{}, errors.New("the server's first SCRAM message has no nonce, salt and iterations")
	}
	salt, err := base64.StdEncoding.DecodeString(fields[1][2:])
	if err != nil || len(salt) == 0 || len(salt) > maxSaltBytes {
		return scram.KeyFactors{}, errors.New("the server's salt is not usable")
	}
	iterations, err := strconv.Atoi(fields[2][2:])
	if err != nil || iterations < minIterations || iterations > maxIterations {
		return scram.KeyFactors{}, fmt.Errorf("the server asks for %.20q iterations, accepted are %d to %d", fields[2][2:], minIterations, maxIterations)
	}
	return scram.KeyFactors{Salt: string(salt), Iters: iterations}, nil
}
