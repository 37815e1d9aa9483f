-- Answers each line on standard input, a string in hexadecimal, with what Prosody's nodeprep makes of it, in
-- hexadecimal too, or with "-" if it refuses the string. Run by the Lua that Prosody runs in.
package.cpath = "/usr/lib/prosody/?.so;" .. package.cpath
local nodeprep = require "util.encodings".stringprep.nodeprep
for line in io.lines() do
	local s = line:gsub("%x%x", function(octet) return string.char(tonumber(octet, 16)) end)
	local prepared = nodeprep(s)
	print(prepared and (prepared:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) or "-")
end
