package extauth

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"
)

// ErrLate: the answer has come when the server may have given up on it. It would
// take it for the answer to its next question, so that nothing can be said any more.
var ErrLate = errors.New("an answer has come too late to be given; the server will start this program anew")

// Asker is one server at the other end of a pipe.
type Asker struct {
	Protocol Protocol
	In       io.Reader
	Out      io.Writer
	Answer   Answer
	// Trouble is told of each error of Answer, and that a question was not for us;
	// nil: nobody is.
	Trouble func(error)
	Now     func() time.Time // nil: time.Now
}

// ErrNotOurs is told to Trouble: a question that the program does not answer, such as to
// set a password.
var ErrNotOurs = errors.New("the server asks for what xtokend does not do: it makes, changes and removes no accounts")

// Serve answers one question after the other, until the server has closed its end,
// which is no error, or ctx ends. What cannot be answered is answered by no: in
// neither protocol can a server be told that it should ask again later.
func (a *Asker) Serve(ctx context.Context) error {
	in := bufio.NewReader(a.In)
	for {
		question, err := a.Protocol.read(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.answer(ctx, question); err != nil {
			return err
		}
	}
}

func (a *Asker) answer(ctx context.Context, text string) error {
	now := a.Now
	if now == nil {
		now = time.Now
	}
	asked := now()
	yes, err := a.ask(ctx, text)
	if err != nil && a.Trouble != nil {
		a.Trouble(err)
	}
	if now().Sub(asked) > a.Protocol.patience+slack {
		return ErrLate
	}
	said := a.Protocol.no
	if yes {
		said = a.Protocol.yes
	}
	_, err = io.WriteString(a.Out, said)
	return err
}

// slack is what an answer may be late by: that of the server's own clock is more.
const slack = 500 * time.Millisecond

func (a *Asker) ask(ctx context.Context, text string) (yes bool, err error) {
	question, ok := Parse(text)
	if !ok {
		return false, ErrNotOurs
	}
	ctx, done := context.WithTimeout(ctx, a.Protocol.patience)
	defer done()
	yes, err = a.Answer(ctx, question)
	return yes && err == nil, err
}
