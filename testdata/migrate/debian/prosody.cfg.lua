-- A Prosody of Debian with the two modules for tokens, set up by hand.

admins = { "root@example.org" } -- of the whole server

plugin_paths = { "/usr/lib/prosody-modules/mod_auth_token" }

modules_enabled = {

	-- Generally required
		"disco"; -- Service discovery
		"roster"; -- Contact lists
		"saslauth"; -- Authentication
		"tls"; -- Encryption

	-- Recommended
		"carbons"; "dialback";
		"pep", "smacks";
		"register"; -- Let users change their password
		"mam"; -- Archive
		"limits"; -- Bandwidth

	-- Token authentication
		"auth_token";
		"sasl_token";

	-- HTTP
		"bosh"; -- Browsers
		"websocket";
		--"http_files"; -- Not needed
}

modules_disabled = {
	-- "offline";
}

pidfile = "/run/prosody/prosody.pid";

s2s_secure_auth = true

limits = {
	c2s = {
		rate = "10kb/s"; -- of each client
	};
	s2sin = {
		rate = "30kb/s";
	};
}

authentication = "token";
token_secret = "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7";
otp_seed = "XVGR73KMZH2M4XMY";

archive_expires_after = "1w" -- one week

log = {
	info = "/var/log/prosody/prosody.log";
	{ levels = { "error" }; to = "syslog"; };
}

certificates = "certs"

----------- Virtual hosts -----------

VirtualHost "Example.org"
	-- what is said here is for example.org

Component "rooms.example.org" "muc"
	modules_enabled = { "muc_mam" }

Include "conf.d/*.cfg.lua"

-- Nothing should be added below this line.
