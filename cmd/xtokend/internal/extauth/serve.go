package extauth

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"
)

// After these nothing can be said any more: the server would take it for the answer to
// another question, which may be somebody else's.
var (
	// ErrLate: the answer has come when the server may have given up on it.
	ErrLate = errors.New("an answer has come too late to be given; the server will start this program anew")
	// ErrOutOfTurn: a question has come before the one before it was answered. A server
	// asks one at a time: it has given up, or a password with a line end has made two
	// of one.
	ErrOutOfTurn = errors.New("a question has come out of turn; the server will start this program anew")
)

// ErrNotOurs is told to Trouble: a question that the program does not answer, such as to
// set a password.
var ErrNotOurs = errors.New("the server asks for what xtokend does not do: it makes, changes and removes no accounts")

// Asker is one server at the other end of a pipe.
type Asker struct {
	Protocol Protocol
	In       io.Reader
	Out      io.Writer
	Answer   Answer
	// Trouble is told of each error of Answer, and that a question was not for us;
	// nil: nobody is.
	Trouble func(error)
}

// asked is a question, or the end of them.
type asked struct {
	text string
	at   time.Time
	err  error
}

// Serve answers one question after the other, until the server has closed its end,
// which is no error, or ctx ends. What cannot be answered is answered by no: in
// neither protocol can a server be told that it should ask again later. With an
// error a goroutine stays behind until what it reads from In has come.
func (a *Asker) Serve(ctx context.Context) error {
	ctx, done := context.WithCancel(ctx)
	defer done()
	questions := make(chan asked, 1)
	go a.read(ctx, questions)
	var next *asked
	for {
		if next == nil {
			select {
			case q := <-questions:
				next = &q
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		q := *next
		switch {
		case errors.Is(q.err, io.EOF):
			return nil
		case q.err != nil:
			return q.err
		}
		yes := a.ask(ctx, q.text)
		select {
		case early := <-questions:
			if early.err == nil {
				return ErrOutOfTurn
			}
			next = &early
		default:
			next = nil
		}
		if time.Since(q.at) > a.Protocol.patience+slack {
			return ErrLate
		}
		said := a.Protocol.no
		if yes {
			said = a.Protocol.yes
		}
		if _, err := io.WriteString(a.Out, said); err != nil {
			return err
		}
	}
}

// read passes on what the server asks as soon as it has come.
func (a *Asker) read(ctx context.Context, questions chan<- asked) {
	in := bufio.NewReader(a.In)
	for {
		text, err := a.Protocol.read(in)
		select {
		case questions <- asked{text, time.Now(), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// slack is what an answer may be late by: that of the server's own clock is more.
const slack = 500 * time.Millisecond

func (a *Asker) ask(ctx context.Context, text string) (yes bool) {
	question, ours := Parse(text)
	err := ErrNotOurs
	if ours {
		ctx, done := context.WithTimeout(ctx, a.Protocol.patience)
		defer done()
		yes, err = a.Answer(ctx, question)
	}
	if err != nil && a.Trouble != nil {
		a.Trouble(err)
	}
	return yes && err == nil
}
