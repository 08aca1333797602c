/* codes.c - one table of all error codes, and what each code of the daemon is to a client. */
#include "codes.h"

#include <string.h>

static const struct code_info codes[CODES] = {
	[CODE_NONE] = {200, false, "none", "No error", "", ""},
	[CODE_INVALID_JSON] =
		{400, false, "invalid-json", "The body is not valid JSON",
		 "The body must be one JSON object in UTF-8, without duplicate keys and without anything after it.",
		 "Check it with: jq . <<< \"$BODY\""},
	[CODE_UNKNOWN_FIELD] =
		{400, false, "unknown-field", "A field is not known here",
		 "Fields that would be ignored are refused, so that a typing error is never taken for a success.",
		 "What each is for: GET /v1/openapi.json"},
	[CODE_UNKNOWN_PARAMETER] =
		{400, false, "unknown-parameter", "A query parameter is not known here",
		 "Parameters that would be ignored are refused, so that a typing error is never taken for a success.",
		 "What each is for: GET /v1/openapi.json"},
	[CODE_INVALID_VALUE] =
		{400, false, "invalid-value", "A value is not valid",
		 "A field, parameter or header has a value of the wrong type or outside its limits.",
		 "Correct it as 'detail' says."},
	[CODE_INVALID_PATH] =
		{400, false, "invalid-path", "The path is not valid",
		 "Ids and names never need escaping: '%', empty, '.' and '..' segments are refused.",
		 "Use the id or the name of the image as it is."},
	[CODE_INVALID_NAME] =
		{400, false, "invalid-name", "The name is not valid",
		 "A name is a letter or digit followed by up to 126 of A-Z a-z 0-9 . _ -, and does not look like a UUID.",
		 "Use up to 127 of A-Z a-z 0-9 . _ -, a letter or digit first; no UUID."},
	[CODE_CONTENT_RANGE_MISMATCH] =
		{400, false, "content-range-mismatch", "Content-Range does not fit the request",
		 "The first byte is the offset; the last byte and the complete length must agree with body and disk.",
		 "Send 'Content-Range: bytes FIRST-LAST/*', or PUT with ?offset=FIRST instead."},
	[CODE_UNALIGNED] = {400, false, "unaligned", "Offset or length is not a multiple of 512",
			    "The request said aligned=1.",
			    "Align the request to 512 bytes, or leave aligned out."},
	[CODE_BAD_FRAMING] =
		{400, false, "bad-framing", "The request is framed in an ambiguous way",
		 "Where a body ends must be clear to every program on the way: one Content-Length or chunked, one Host.",
		 "Send one Content-Length, or Transfer-Encoding: chunked, and exactly one Host header."},
	[CODE_LENGTH_REQUIRED] = {411, false, "length-required", "The request has no body length",
				  "A body needs Content-Length or Transfer-Encoding: chunked.",
				  "Upload with: curl -T FILE URL"},
	[CODE_CROSS_ORIGIN] =
		{403, false, "cross-origin", "The request comes from a foreign page",
		 "Origin or Sec-Fetch-Site says that a page of another site sent it.",
		 "Use the API directly, or allow that origin: vhdd --cors-origin URL, or [http] origins."},
	[CODE_HOST_NOT_ALLOWED] =
		{403, false, "host-not-allowed", "The Host header names no host of this daemon",
		 "Only literal addresses, localhost and configured names are served, against DNS rebinding.",
		 "Use the address of the daemon, or add the name: vhdd --allow-host NAME, or [http] hosts."},
	[CODE_IMAGE_NOT_FOUND] = {404, false, "image-not-found", "There is no such image",
				  "Neither an id nor a name in the catalog is the one asked for.",
				  "List what there is: GET /v1/images"},
	[CODE_POOL_NOT_FOUND] = {404, false, "pool-not-found", "There is no such pool",
				 "The configuration has no pool of that name.",
				 "List what there is: GET /v1/pools. Without 'pool' it is the "
				 "default one."},
	[CODE_FIELD_NOT_FOUND] = {404, false, "field-not-found", "There is no such field",
				  "The image has no field of that name: a root has no locators.",
				  "List what there is: GET /v1/images/{image}/fields"},
	[CODE_SOURCE_NOT_FOUND] = {404, false, "source-not-found", "There is no such file",
				   "Neither the path nor a folder of the search path leads to it.",
				   "Give the absolute path of the file on the host of the daemon."},
	[CODE_PATH_OUTSIDE_POOL] =
		{403, false, "path-outside-pool", "The path lies outside the allowed folders",
		 "Only regular files below the roots of the configuration are opened, whatever a file says of its parent.",
		 "Name a regular file below such a root, or add its folder to [pool] roots."},
	[CODE_ROUTE_NOT_FOUND] = {404, false, "route-not-found", "There is nothing at this path",
				  "No resource of the API has this path.",
				  "See GET /v1 for links, GET /v1/openapi.json for all paths."},
	[CODE_METHOD_NOT_ALLOWED] = {405, false, "method-not-allowed",
				     "The method is not possible here",
				     "The resource exists, but has other methods.",
				     "See the Allow header of this answer."},
	[CODE_NOT_ACCEPTABLE] =
		{406, false, "not-acceptable", "There is no answer of that type",
		 "Accept takes none of the types in which this resource can be sent.",
		 "Leave the Accept header out, or add */* to it."},
	[CODE_UNSUPPORTED_MEDIA_TYPE] =
		{415, false, "unsupported-media-type", "The body is of a kind that is not taken",
		 "Bodies are taken as they are: Content-Encoding is not undone, PATCH of content takes a few types, PUT of it none that is JSON or has parts.",
		 "Send the body as it is, without Content-Encoding."},
	[CODE_EXPECTATION_FAILED] = {417, false, "expectation-failed",
				     "The expectation cannot be met",
				     "100-continue is the only expectation there is.",
				     "Leave the Expect header out."},
	[CODE_TARGET_TOO_LONG] = {414, false, "target-too-long", "The URL is too long",
				  "Path and query together are longer than this daemon takes.",
				  "Ask for less at once. The limit is in GET /v1."},
	[CODE_HEADERS_TOO_LARGE] =
		{431, false, "headers-too-large", "The headers are too large",
		 "All headers together are larger, or more, than this daemon takes.",
		 "Send fewer headers. The limits are in GET /v1."},
	[CODE_METHOD_UNKNOWN] =
		{501, false, "method-unknown", "The method is not known",
		 "The daemon knows GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS.",
		 "Use one of these methods, in capital letters."},
	[CODE_NOT_SUPPORTED] =
		{501, false, "not-supported", "This is not supported",
		 "The request asks for something that this version does not do; it is refused rather than ignored.",
		 "See 'features' of GET /v1 for what this version does."},
	[CODE_NAME_EXISTS] = {409, false, "name-exists", "Another image has this name",
			      "Names are unique among all images of the daemon.",
			      "Choose another name, or leave it out to get one."},
	[CODE_DUPLICATE_UUID] =
		{409, false, "duplicate-uuid", "Another image has this id",
		 "The unique id of an image is its identity and is never used twice.",
		 "Leave 'uuid' out to get a random one."},
	[CODE_IMAGE_HAS_CHILDREN] =
		{409, false, "image-has-children", "The image has children",
		 "Every block that a child has not overwritten is read from this image.",
		 "Write to a child, or create one: POST /v1/images/{image}/snapshots"},
	[CODE_IMAGE_FROZEN] = {409, false, "image-frozen", "The image is frozen",
			       "A frozen image is a point in time; its content does not change.",
			       "Write to a child: POST /v1/images/{image}/snapshots. When nobody "
			       "needs it as it is: POST /v1/images/{image}/actions/thaw"},
	[CODE_IMAGE_FAILED] =
		{409, false, "image-failed", "The image has failed",
		 "An earlier write could not be made durable, so what the disk holds is uncertain.",
		 "Repair the storage, then: POST /v1/images/{image}/actions/recover"},
	[CODE_IMAGE_BUSY] = {409, true, "image-busy", "The image is busy",
			     "Another request or another program holds it.",
			     "Try again in a moment."},
	[CODE_PARENT_MISSING] =
		{409, false, "parent-missing", "The parent is missing",
		 "A differencing image is read through its parents, and one of them is not there.",
		 "See which one: GET /v1/images/{image}/chain. Put its file back, or adopt it."},
	[CODE_PARENT_UUID_MISMATCH] =
		{409, false, "parent-uuid-mismatch", "The parent is another image",
		 "The file found in the place of the parent has a different unique id.",
		 "Put the right file back: the image names the id of its parent."},
	[CODE_PARENT_CHANGED] = {409, false, "parent-changed", "The parent has changed",
				 "A parent was written after its child was created.",
				 "Restore the parent from a copy of that time."},
	[CODE_CHAIN_TOO_DEEP] =
		{409, false, "chain-too-deep", "The chain is too deep",
		 "Every snapshot adds a level, and there is a limit.",
		 "Go on in a copy: PUT what GET /v1/images/{image}/data answers to the data of a new image. The limit is in GET /v1."},
	[CODE_CHAIN_CYCLE] = {409, false, "chain-cycle", "The chain comes back to itself",
			      "An image is among its own ancestors.",
			      "Restore the images from copies."},
	[CODE_CHAIN_UNHEALTHY] =
		{409, false, "chain-unhealthy", "The chain is not healthy",
		 "A file of the chain, its own or that of an ancestor, is missing or damaged.",
		 "See which one: GET /v1/images/{image}/chain"},
	[CODE_SIZE_MISMATCH] = {409, false, "size-mismatch", "The size does not fit the parent",
				"A child is as large as its parent or larger.",
				"Leave 'size' out to take the parent's."},
	[CODE_PRECONDITION_FAILED] =
		{412, false, "precondition-failed", "The precondition does not hold",
		 "The resource is in another state than the request asks for: somebody has changed or made it.",
		 "Read it again, then repeat the request with the ETag that it has now, or without the condition."},
	[CODE_PRECONDITION_REQUIRED] =
		{428, false, "precondition-required", "The request must name an ETag",
		 "The configuration says that nothing is changed unless the client tells which state it has seen.",
		 "Read it first, then repeat the request with: If-Match: ETAG"},
	[CODE_BODY_TOO_LARGE] =
		{413, false, "body-too-large", "The body is too large",
		 "Bodies that are not image data are limited, and image data with If-Match, which is collected before it is written.",
		 "Send less. The limit is in GET /v1."},
	[CODE_TOO_MANY_RANGES] = {413, false, "too-many-ranges",
				  "The request asks for too many ranges",
				  "The ranges of one request are limited.",
				  "Ask for fewer ranges at once. The limit is in GET /v1."},
	[CODE_TOO_MANY_SECTORS] =
		{413, false, "too-many-sectors", "The request asks for too many sectors",
		 "The sectors of one request are limited.",
		 "Ask for fewer sectors at once, or for a range of them. The limit is in GET /v1."},
	[CODE_INVALID_RANGE_HEADER] =
		{416, false, "invalid-range-header", "The Range header is malformed",
		 "Who asks for a piece and gets the whole disk would damage a copy, so nothing is sent.",
		 "Send 'Range: bytes=FIRST-LAST', 'bytes=FIRST-' or 'bytes=-COUNT'."},
	[CODE_RANGE_NOT_SATISFIABLE] = {416, false, "range-not-satisfiable",
					"The range lies beyond the end",
					"The disk ends before that byte or sector.",
					"See Content-Range of this answer for the size."},
	[CODE_CORRUPT_IMAGE] = {422, false, "corrupt-image", "The image is damaged",
				"The file breaks the VHD format.", "Restore the file from a copy."},
	[CODE_NOT_A_VHD] = {422, false, "not-a-vhd", "The file is not a VHD image",
			    "There is no VHD footer in it.",
			    "Check which file it is. Disks of other formats are converted with: "
			    "qemu-img convert -O vpc"},
	[CODE_UNSUPPORTED_VHD] =
		{422, false, "unsupported-vhd", "This kind of VHD is not supported",
		 "The file is legal but uses something that the daemon does not handle.",
		 "Convert it with another program."},
	[CODE_CHECKSUM_MISMATCH] =
		{422, false, "checksum-mismatch",
		 "The body has another digest than the request says",
		 "Bytes were changed on the way, or the digest is of other bytes.",
		 "Send the request again; 'written' says which range holds bytes of this one."},
	[CODE_AMBIGUOUS_FORMAT] =
		{422, false, "ambiguous-format", "The file could be two kinds of disk",
		 "It has the footer of a fixed disk at its end and that of a growing one at its start; a guest can write either.",
		 "Say which it is: source.kind is fixed, dynamic or differencing."},
	[CODE_SIZE_TOO_LARGE] = {422, false, "size-too-large", "The size is too large",
				 "A VHD disk ends at 2040 GiB.", "Use a smaller size."},
	[CODE_SIZE_NOT_REPRESENTABLE] =
		{422, false, "size-not-representable", "The size cannot be represented",
		 "With this block size the sector numbers of the format run out before the disk ends.",
		 "Use the default block size, or a smaller disk."},
	[CODE_POOL_OFFLINE] =
		{503, true, "pool-offline", "The pool is offline",
		 "Its folder cannot be reached, its file system is read-only, or the configuration "
		 "does not name it.",
		 "Mount it as it should be, or name it in the configuration again, as "
		 "'detail' says. "
		 "DELETE with keep_file=1 forgets an image "
		 "whose folder is gone for good."},
	[CODE_CATALOG_BUSY] = {503, true, "catalog-busy", "The catalog is busy",
			       "Other changes are being written.", "Try again in a moment."},
	[CODE_OVERLOADED] = {503, true, "overloaded", "The daemon has too much to do",
			     "There are more connections or requests than it takes at once.",
			     "Try again in a moment."},
	[CODE_SHUTTING_DOWN] = {503, true, "shutting-down", "The daemon is stopping",
				"It finishes what it has begun and takes nothing new.",
				"Try again when it is back."},
	[CODE_NO_SPACE] = {507, false, "no-space", "There is no room left",
			   "The pool is full. What was acknowledged is untouched.",
			   "Make room in the pool, then try again."},
	[CODE_IO_ERROR] = {500, false, "io-error", "The storage failed",
			   "Reading or writing a file of the pool failed.",
			   "Look for the request id in the log of the daemon."},
	[CODE_INTERNAL] = {500, false, "internal", "The daemon failed",
			   "Something happened that should not.",
			   "Look for the request id in the log of the daemon."},
};

const struct code_info *codes_info(enum code code)
{
	return &codes[code];
}

enum code codes_find(const char *name)
{
	for (int i = CODE_NONE + 1; i < CODES; i++) {
		if (strcmp(codes[i].name, name) == 0)
			return (enum code)i;
	}
	return CODE_NONE;
}

enum code codes_of_service(enum service_code code)
{
	switch (code) {
	case SERVICE_OK: return CODE_NONE;
	case SERVICE_AGAIN: return CODE_INTERNAL; /* never where blocking is allowed */
	case SERVICE_INVALID_VALUE: return CODE_INVALID_VALUE;
	case SERVICE_NOT_SUPPORTED: return CODE_NOT_SUPPORTED;
	case SERVICE_IMAGE_NOT_FOUND: return CODE_IMAGE_NOT_FOUND;
	case SERVICE_POOL_NOT_FOUND: return CODE_POOL_NOT_FOUND;
	case SERVICE_FIELD_NOT_FOUND: return CODE_FIELD_NOT_FOUND;
	case SERVICE_NAME_EXISTS: return CODE_NAME_EXISTS;
	case SERVICE_DUPLICATE_UUID: return CODE_DUPLICATE_UUID;
	case SERVICE_IMAGE_HAS_CHILDREN: return CODE_IMAGE_HAS_CHILDREN;
	case SERVICE_IMAGE_FROZEN: return CODE_IMAGE_FROZEN;
	case SERVICE_IMAGE_FAILED: return CODE_IMAGE_FAILED;
	case SERVICE_IMAGE_BUSY: return CODE_IMAGE_BUSY;
	case SERVICE_CHANGED: return CODE_PRECONDITION_FAILED;
	case SERVICE_PARENT_MISSING: return CODE_PARENT_MISSING;
	case SERVICE_PARENT_UUID_MISMATCH: return CODE_PARENT_UUID_MISMATCH;
	case SERVICE_PARENT_CHANGED: return CODE_PARENT_CHANGED;
	case SERVICE_CHAIN_TOO_DEEP: return CODE_CHAIN_TOO_DEEP;
	case SERVICE_CHAIN_CYCLE: return CODE_CHAIN_CYCLE;
	case SERVICE_CHAIN_UNHEALTHY: return CODE_CHAIN_UNHEALTHY;
	case SERVICE_SIZE_MISMATCH: return CODE_SIZE_MISMATCH;
	case SERVICE_SIZE_TOO_LARGE: return CODE_SIZE_TOO_LARGE;
	case SERVICE_SIZE_NOT_REPRESENTABLE: return CODE_SIZE_NOT_REPRESENTABLE;
	case SERVICE_RANGE_NOT_SATISFIABLE: return CODE_RANGE_NOT_SATISFIABLE;
	case SERVICE_CORRUPT_IMAGE: return CODE_CORRUPT_IMAGE;
	case SERVICE_NOT_A_VHD: return CODE_NOT_A_VHD;
	case SERVICE_UNSUPPORTED_VHD: return CODE_UNSUPPORTED_VHD;
	case SERVICE_AMBIGUOUS_FORMAT: return CODE_AMBIGUOUS_FORMAT;
	case SERVICE_SOURCE_NOT_FOUND: return CODE_SOURCE_NOT_FOUND;
	case SERVICE_PATH_OUTSIDE_POOL: return CODE_PATH_OUTSIDE_POOL;
	case SERVICE_POOL_OFFLINE: return CODE_POOL_OFFLINE;
	case SERVICE_NO_SPACE: return CODE_NO_SPACE;
	case SERVICE_CATALOG_BUSY: return CODE_CATALOG_BUSY;
	case SERVICE_OVERLOADED: return CODE_OVERLOADED;
	case SERVICE_SHUTTING_DOWN: return CODE_SHUTTING_DOWN;
	case SERVICE_IO_ERROR: return CODE_IO_ERROR;
	case SERVICE_INTERNAL: return CODE_INTERNAL;
	}
	return CODE_INTERNAL;
}
