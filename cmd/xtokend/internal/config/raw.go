package config

import "time"

// The raw types are the file's schema: a key that no field names is unknown.
// Fields are exported because the TOML decoder writes them.

type rawFile struct {
	Listen         value[[]string] `toml:"listen"`
	Admin          value[string]   `toml:"admin"`
	Metrics        value[string]   `toml:"metrics"`
	TrustedProxies value[[]string] `toml:"trusted_proxies"`
	AllowedOrigins value[[]string] `toml:"allowed_origins"`
	Node           value[string]   `toml:"node"`
	TLS            *rawTLS         `toml:"tls"`
	HTTPAuth       *rawHTTPAuth    `toml:"http_auth"`
	Domain         []rawDomain     `toml:"domain"`
	Replay         rawReplay       `toml:"replay"`
	Limits         rawLimits       `toml:"limits"`
	Log            rawLog          `toml:"log"`
}

type rawTLS struct {
	Certificate value[string] `toml:"certificate"`
	Key         value[string] `toml:"key"`
}

type rawHTTPAuth struct {
	Listen           value[string] `toml:"listen"`
	BearerSecret     value[Secret] `toml:"bearer_secret"`
	BearerSecretFile value[string] `toml:"bearer_secret_file"`
}

type rawDomain struct {
	Name           value[string]   `toml:"name"`
	Mechanisms     value[[]string] `toml:"mechanisms"`
	Skew           value[int64]    `toml:"skew"`
	FoldCase       value[bool]     `toml:"fold_case"`
	IssuerTimezone value[string]   `toml:"issuer_timezone"`
	Upstream       value[string]   `toml:"upstream"`
	PublicURLs     value[[]string] `toml:"public_urls"`
	Admins         value[[]string] `toml:"admins"`
	UsersFile      value[string]   `toml:"users_file"`
	Key            []rawKey        `toml:"key"`
	Server         *rawServer      `toml:"server"`
	Component      *rawComponent   `toml:"component"`
	Host           *rawHost        `toml:"host"`
}

type rawKey struct {
	OTPSeed         value[Secret]    `toml:"otp_seed"`
	OTPSeedFile     value[string]    `toml:"otp_seed_file"`
	TokenSecret     value[Secret]    `toml:"token_secret"`
	TokenSecretFile value[string]    `toml:"token_secret_file"`
	NotAfter        value[time.Time] `toml:"not_after"`
}

type rawServer struct {
	Addresses          value[[]string] `toml:"addresses"`
	TLS                value[string]   `toml:"tls"`
	CAFile             value[string]   `toml:"ca_file"`
	ServerName         value[string]   `toml:"server_name"`
	Accounts           value[string]   `toml:"accounts"`
	AccountSecret      value[Secret]   `toml:"account_secret"`
	AccountSecretFile  value[string]   `toml:"account_secret_file"`
	PreviousSecret     value[Secret]   `toml:"account_secret_previous"`
	PreviousSecretFile value[string]   `toml:"account_secret_previous_file"`
	SendProxy          value[bool]     `toml:"send_proxy"`
	Takeover           value[bool]     `toml:"takeover"`
	Protected          value[[]string] `toml:"protected"`
}

type rawComponent struct {
	Address    value[string] `toml:"address"`
	Name       value[string] `toml:"name"`
	Secret     value[Secret] `toml:"secret"`
	SecretFile value[string] `toml:"secret_file"`
	TLS        value[string] `toml:"tls"`
}

type rawHost struct {
	Path  value[string] `toml:"path"`
	Rooms value[string] `toml:"rooms"`
}

type rawReplay struct {
	Store        value[string] `toml:"store"`
	Path         value[string] `toml:"path"`
	URL          value[string] `toml:"url"`
	PasswordFile value[string] `toml:"password_file"`
	CAFile       value[string] `toml:"ca_file"`
	Sentinel     value[string] `toml:"sentinel"`
}

type rawLimits struct {
	AuthAttempts              value[int64]  `toml:"auth_attempts"`
	FailedPerMinutePerAddress value[int64]  `toml:"failed_per_minute_per_address"`
	FailedPerMinutePerUser    value[int64]  `toml:"failed_per_minute_per_user"`
	IPv6Prefix                value[int64]  `toml:"ipv6_prefix"`
	Streams                   value[int64]  `toml:"streams"`
	StreamsPerAddress         value[int64]  `toml:"streams_per_address"`
	Unauthenticated           value[int64]  `toml:"unauthenticated"`
	ElementBytes              value[int64]  `toml:"element_bytes"`
	ElementDepth              value[int64]  `toml:"element_depth"`
	UpstreamElementBytes      value[int64]  `toml:"upstream_element_bytes"`
	BOSHSessions              value[int64]  `toml:"bosh_sessions"`
	BOSHBufferBytes           value[int64]  `toml:"bosh_buffer_bytes"`
	NegotiationTimeout        value[string] `toml:"negotiation_timeout"`
	WriteTimeout              value[string] `toml:"write_timeout"`
}

type rawLog struct {
	Level  value[string] `toml:"level"`
	Format value[string] `toml:"format"`
}
