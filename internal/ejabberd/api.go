package ejabberd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// apiTimeout bounds one command.
const apiTimeout = 20 * time.Second

// Register makes the account by an administrator's command.
func (p program) Register(ctx context.Context, localpart, password string) error {
	status, said, err := p.command(ctx, "register", map[string]string{"user": localpart, "host": p.Domain, "password": password})
	if err == nil && status == http.StatusConflict {
		status, said, err = p.command(ctx, "change_password", map[string]string{"user": localpart, "host": p.Domain, "newpass": password})
	}
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, said)
	}
	if err != nil {
		return fmt.Errorf("ejabberd: register %s: %w", localpart, err)
	}
	return nil
}

// HasAccount asks the server, which must be running.
func (p program) HasAccount(ctx context.Context, localpart string) (bool, error) {
	status, said, err := p.command(ctx, "check_account", map[string]string{"user": localpart, "host": p.Domain})
	if err == nil && status == http.StatusOK && (said == "0" || said == "1") {
		return said == "0", nil // as exit status
	}
	if err == nil {
		err = fmt.Errorf("status %d: %s", status, said)
	}
	return false, fmt.Errorf("ejabberd: look for the account %s: %w", localpart, err)
}

func (p program) command(ctx context.Context, name string, arguments map[string]string) (status int, said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	body, err := json.Marshal(arguments)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.api+"/api/"+name, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	// A kept connection would hold goroutines that tests count, and not survive a restart.
	request.Close = true
	transport := &http.Transport{DisableKeepAlives: true} // not the default: it would look for a proxy
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	return answer.StatusCode, string(bytes.TrimSpace(text)), err
}
