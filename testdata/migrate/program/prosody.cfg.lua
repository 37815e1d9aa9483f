-- Settings that are a program.
local function secret(name)
	local f = assert(io.open(ENV_SETTINGS .. "/" .. name))
	local text = f:read("*l")
	f:close()
	return text
end

local common = { "roster", "saslauth" }
for _, name in ipairs { "tls", "disco" } do
	table.insert(common, name)
end
modules_enabled = common
common[#common + 1] = ("%s_%s"):format("admin", "adhoc")

token_secret = secret("token_secret")
otp_seed = string.upper(secret "otp_seed")
unset = "away"
unset = nil
ports = { 5222, [7] = "seven", ["a key"] = true, nested = { {}, { x = 1.5 } } }
callback = function() return 1 end
large, small = 2^20, -1 / 4
home = os.getenv("SETTINGS") ~= nil and [[
long text]] or 'none'

Include "hosts/*.lua"
after_include = true
VirtualHost "first.example" { authentication = "token"; storage = { "a", b = "c" } }
global_again = 'yes'
Host "Second.Example"
	authentication = "internal" .. "_hashed"
	if authentication == nil then
		option_is_not_readable = true
	end
component "gateway.example"
	component_secret = "x\ty\"z\\"
Component "rooms.example" "muc" { name = "Rooms" }
trailing = "global"
