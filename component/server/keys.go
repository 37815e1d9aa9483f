package server

import (
	"container/list"
	"context"
	"crypto/rand"
	"runtime"
	"sync"

	"github.com/xdg-go/scram"
	"golang.org/x/sync/semaphore"
)

// derivations holds key derivations, of all servers together, to half the
// processors. It serves in order of arrival.
var (
	derivationsAtOnce = int64(max(1, runtime.GOMAXPROCS(0)/2))
	derivations       = semaphore.NewWeighted(derivationsAtOnce)
)

// keys keeps the SCRAM keys of the users who logged in last. There is one set
// for each user, mechanism and password: a server that changes the salt at every login
// replaces it and makes nothing grow.
type keys struct {
	mu     sync.Mutex
	most   int
	byID   map[keyID]*list.Element // of *keptKeys
	recent *list.List              // the last used first
}

type keyID struct{ user, mechanism, password string }

func newKeys(most int) *keys {
	return &keys{most: most, byID: make(map[keyID]*list.Element), recent: list.New()}
}

// keptKeys are one user's keys for one salt and number of iterations. They do
// not change.
type keptKeys struct {
	id      keyID
	factors scram.KeyFactors

	// mu guards the client's nonce generator. The client holds the keys, and
	// those of no other factors.
	mu     sync.Mutex
	client *scram.Client
}

// get returns the keys of id for these factors. If they are not kept they are
// derived with client, which nothing else uses, after those who came before;
// ctx bounds the wait.
func (k *keys) get(ctx context.Context, id keyID, factors scram.KeyFactors, client *scram.Client) (*keptKeys, error) {
	if kept := k.find(id, factors); kept != nil {
		return kept, nil
	}
	if err := derivations.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer derivations.Release(1)
	// A login of the same user that came before may have derived them.
	if kept := k.find(id, factors); kept != nil {
		return kept, nil
	}
	if _, err := client.GetStoredCredentialsWithError(factors); err != nil {
		return nil, err
	}
	kept := &keptKeys{id: id, factors: factors, client: client}
	k.keep(kept)
	return kept, nil
}

func (k *keys) find(id keyID, factors scram.KeyFactors) *keptKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.byID[id]
	if !ok {
		return nil
	}
	kept := e.Value.(*keptKeys)
	if kept.factors != factors {
		return nil
	}
	k.recent.MoveToFront(e)
	return kept
}

func (k *keys) keep(kept *keptKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.byID[kept.id]; ok {
		k.recent.Remove(old)
	}
	k.byID[kept.id] = k.recent.PushFront(kept)
	for k.recent.Len() > k.most {
		oldest := k.recent.Remove(k.recent.Back()).(*keptKeys)
		delete(k.byID, oldest.id)
	}
}

// proof returns a conversation that has sent nonce in its first message and
// taken serverFirst, and its answer to that.
func (k *keptKeys) proof(nonce, serverFirst string) (*scram.ClientConversation, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	conversation := k.client.WithNonceGenerator(func() string { return nonce }).NewConversation()
	if _, err := conversation.Step(""); err != nil {
		return nil, "", err
	}
	response, err := conversation.Step(serverFirst)
	return conversation, response, err
}

// newNonce returns 130 random bits, printable and without a comma
// (RFC 5802 §5.1).
func newNonce() string { return rand.Text() }
