package extauth

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// Protocol is how questions and answers are framed, and how long whoever asks waits.
type Protocol struct {
	name     string
	patience time.Duration
	read     func(*bufio.Reader) (question string, err error)
	yes, no  string
}

var (
	// Ejabberd is the protocol of ejabberd and MongooseIM: questions and answers of
	// two bytes of length, most significant first, and as many bytes. An answer is
	// a number of two bytes, 1 or 0. MongooseIM, and ejabberd before 17.03, wait for
	// 10 s, then start another program; ejabberd waits for 30 s.
	Ejabberd = Protocol{name: "ejabberd", patience: 8 * time.Second, read: readPacket, yes: "\x00\x02\x00\x01", no: "\x00\x02\x00\x00"}
	// Generic is the protocol of Prosody's module mod_auth_external_insecure: lines,
	// answered by 1 or 0. It waits for 5 s, and then takes whatever comes for the
	// answer to its next question.
	Generic = Protocol{name: "generic", patience: 4 * time.Second, read: readLine, yes: "1\n", no: "0\n"}
)

// String returns the protocol's name, as Prosody's external_auth_protocol has it.
func (p Protocol) String() string { return p.name }

// errTorn: the server has ended within a question.
var errTorn = errors.New("the server's last question is not whole")

// readPacket reads a question of [Ejabberd]. One that is too long is as long as the
// two bytes can say, and is left to Parse.
func readPacket(r *bufio.Reader) (string, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return "", torn(err)
	}
	question := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r, question); err != nil {
		return "", torn(errors.Join(io.ErrUnexpectedEOF, err))
	}
	return string(question), nil
}

// readLine reads a question of [Generic]. Of one that is too long it keeps as much as
// shows that it is.
func readLine(r *bufio.Reader) (string, error) {
	var question []byte
	for {
		piece, err := r.ReadSlice('\n')
		question = append(question, piece[:min(len(piece), MaxQuestionBytes+2-len(question))]...)
		switch {
		case err == nil:
			return string(bytes.TrimSuffix(question, []byte("\n"))), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(question) > 0:
			return "", errTorn
		default:
			return "", err
		}
	}
}

func torn(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
