-- ask.lua - what wrk asks: `ASK` is range or write, of `LENGTH` bytes at a random place in a disk of `DISK` bytes.
local length = tonumber(os.getenv("LENGTH"))
local pieces = tonumber(os.getenv("DISK")) / length
local writes = os.getenv("ASK") == "write"

if writes then
	wrk.method = "PUT"
	wrk.body = string.rep("x", length)
end

function request()
	local first = math.random(0, pieces - 1) * length

	if writes then
		return wrk.format(nil, string.format("%s&offset=%.0f", wrk.path, first))
	end
	wrk.headers["Range"] = string.format("bytes=%.0f-%.0f", first, first + length - 1)
	return wrk.format()
end
