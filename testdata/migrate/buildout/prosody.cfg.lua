-- Made by a buildout.
admins = {  }

plugin_paths = { "/srv/plone/src/prosody-modules", "/srv/plone/src/prosody-modules/mod_auth_token" }
use_libevent = true;

modules_enabled = {
	-- Generally required
		"roster"; -- Contact lists
		"saslauth";
		"tls";
		"dialback";
		"disco";
		"carbons";
		"private"; -- Bookmarks
		"vcard";
		"time";
		"ping";
		"pep";
		"admin_adhoc"; -- Commands
		"bosh"; -- Browsers
		"posix";

    -- Mobile clients
        "csi";
        "throttle_presence";

        "mam"; -- Archive
        "groups";
        "auth_token"; -- Tokens
        "sasl_token"; -- How they are sent

};

daemonize = false
cross_domain_bosh = true
pidfile = "/srv/plone/var/run/prosody.pid"

allow_registration = true

ssl = {
    key = "certs/localhost.key";
    certificate = "certs/localhost.crt";
}

c2s_require_encryption = false
s2s_secure_auth = false

authentication = "token"

log = {
	debug = "/srv/plone/var/log/prosody.log";
	error = "/srv/plone/var/log/prosody.err";
    "*console";
}

token_secret = "5WYRUUTKO7N3TPY3SFSYOAVOJQGDNTCZ"
otp_seed = "3RWC2IXGF6ZFJTQY"

VirtualHost "chat.example.org"
	enabled = "true"
	ssl = {
		key = "certs/localhost.key";
		certificate = "certs/localhost.crt";
	}
	archive_expires_after = "never"
	storage = {
		archive2 = "sql";
	}

Component "conference.chat.example.org" "muc"
    max_history_messages = 1000; -- enough

Component "pubsub.chat.example.org" "pubsub"
