-- ask.lua - what wrk asks, by `ASK`: a range or a write of `LENGTH` bytes at a random place in a disk of `DISK` bytes;
-- to create an image; or pages, one after the other.
local ask = os.getenv("ASK")
local length = tonumber(os.getenv("LENGTH")) or 1
local pieces = (tonumber(os.getenv("DISK")) or 1) / length
local cursor

local function place()
	return math.random(0, pieces - 1) * length
end

local asks = {
	range = function()
		local first = place()

		wrk.headers["Range"] = string.format("bytes=%.0f-%.0f", first, first + length - 1)
		return wrk.format()
	end,
	write = function()
		return wrk.format("PUT", string.format("%s&offset=%.0f", wrk.path, place()))
	end,
	create = function()
		return wrk.format("POST")
	end,
	pages = function()
		return wrk.format(nil, cursor and wrk.path .. "&cursor=" .. cursor or wrk.path)
	end,
}
request = asks[ask]

if ask == "write" then
	wrk.body = string.rep("x", length)
elseif ask == "create" then
	wrk.body = '{"size":1048576}'
elseif ask == "pages" then
	function response(_, _, body)
		cursor = string.match(body, '"next":"([^"]+)"')
	end
end
