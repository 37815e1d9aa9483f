package host

import (
	"runtime/debug"
	"sync"

	"mellium.im/xmpp/version"

	"xtokend/component/host/wire"
)

// softwareVersion answers XEP-0092. The operating system is nobody's business.
func softwareVersion(*turn, *wire.Stanza, *user) ([]byte, error) {
	return wire.Marshal(version.Query{Name: softwareName, Version: moduleVersion()}), nil
}

const softwareName = "xtokend"

// moduleVersion is "(devel)" for a build that has none.
var moduleVersion = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
})
