package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
)

func TestAdminAndMetrics(t *testing.T) {
	path := write(t, `admin = "unix:run/admin.sock"
metrics = "[::ffff:127.0.0.1]:5290"
`+good)
	cfg, err := config.Load(path, everything())
	if err != nil || len(cfg.Warnings) > 0 {
		t.Fatal(err, cfg.Warnings)
	}
	if want := filepath.Join(filepath.Dir(path), "run/admin.sock"); cfg.Admin != want {
		t.Errorf("the socket is %s, want %s", cfg.Admin, want)
	}
	if got := cfg.Metrics.String(); got != "127.0.0.1:5290" {
		t.Errorf("metrics are at %s", got)
	}
	for name, text := range map[string]string{"absent": good, "empty": "admin = ''\nmetrics = ''\n" + good} {
		cfg, err := config.Load(write(t, text), everything())
		if err != nil || cfg.Admin != "" || cfg.Metrics.IsValid() {
			t.Errorf("%s: %v %q %s", name, err, cfg.Admin, cfg.Metrics)
		}
	}
}

func TestFaultsOfAdminAndMetrics(t *testing.T) {
	for text, want := range map[string]string{
		`admin = "/run/admin.sock"`:                        `admin: "/run/admin.sock" is not the address of a Unix socket`,
		`admin = "unix:"`:                                  `admin: "unix:" is not the address of a Unix socket`,
		`admin = "unix:/run/"`:                             `admin: "unix:/run/" is not the address of a Unix socket`,
		`admin = "unix:@xtokend"`:                          `admin: "@xtokend" is not the path of a file`,
		`admin = "unix:/` + strings.Repeat("x", 103) + `"`: `admin: the path of the socket has 104 bytes: 103 are possible`,
		`admin = 1`:                                        `admin: must be a text in quotes`,
		`metrics = "localhost:5290"`:                       `metrics: "localhost:5290" is not an IP address and a port`,
		`metrics = "http://127.0.0.1:5290"`:                `metrics: "http://127.0.0.1:5290" is not an IP address and a port`,
		`metrics = "127.0.0.1:5222"`:                       `metrics: clients are served at 127.0.0.1:5222`,
	} {
		_, err := config.Load(write(t, text+"\n"+good), everything())
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	cfg, err := config.Load(write(t, "metrics = \"0.0.0.0:5290\"\n"+good), everything())
	if err != nil || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].String(), "everybody who reaches 0.0.0.0:5290") {
		t.Errorf("beyond loopback: %v %v", err, cfg.Warnings)
	}
}
