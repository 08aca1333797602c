/* make_corpus.c - writes the seeds of the corpora: make_corpus FOLDER. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image_builder.h"
#include "must.h"

static const char *folder;

static void put(const char *target, const char *name, const void *data, size_t size)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, target);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void put_image(const char *name, const struct builder *builder)
{
	struct memio *file = memio_new(NULL);
	size_t size;
	uint8_t *bytes;

	builder_store(builder, file);
	size = (size_t)memio_size(file);
	bytes = must_alloc(size);
	memio_peek(file, bytes, size, 0);
	put("image", name, bytes, size);
	must_free(bytes);
	memio_free(file);
}

static void put_header(const char *name, const struct builder *builder, uint64_t size)
{
	uint8_t raw[16 + 1024];

	builder_put64(raw, size - 512);
	builder_put64(raw + 8, builder->end << 8);
	memcpy(raw + 16, builder->header, 1024);
	put("header", name, raw, sizeof raw);
}

static void make(const char *name, uint32_t type, uint32_t blocks, uint8_t bits)
{
	struct builder_args args = {type, 8 * 4096 - 512, 4096, 1, 2, "parent.vhd"};
	struct builder builder;

	if (type == 2)
		args.size = 1024;
	builder_init(&builder, &args);
	if (type == 4) {
		builder_locator(&builder, 0, 0x57327275, ".\0\\\0p\0.\0v\0h\0d\0", 14);
		builder_locator(&builder, 1, 0x4D616358, "file://./p%20q.vhd", 18);
	}
	for (uint32_t i = 0; i < blocks; i++)
		(void)builder_add_block(&builder, i * 3, bits, (uint8_t)(i + 1));
	put("footer", name, builder.tail, 512);
	put_image(name, &builder);
	if (type != 2) {
		put_header(name, &builder, args.size);
		put("bat", name, builder.table, 32);
	}
	builder_fini(&builder);
}

static void make_cut(const char *name, size_t tail_length)
{
	struct builder_args args = {.type = 3, .size = 8 * 4096, .block_size = 4096, .id = 1};
	struct builder builder;

	builder_init(&builder, &args);
	(void)builder_add_block(&builder, 2, 0xFF, 7);
	builder.tail_length = tail_length;
	put_image(name, &builder);
	builder_fini(&builder);
}

static void make_locators(void)
{
	static const char url[] = "\002file:///dir/p%41.vhd", host[] = "\002file://localhost/a";
	static const char relative[] = "\000.\0\\\0a\0.\0v\0h\0d\0",
			  absolute[] = "\001C\0:\0\\\0a\0";
	static const char lone[] = "\000\0\xD8"
				   "a\0\0\xDC",
			  alias[] = "\005xyz";

	put("locators", "url", url, sizeof url - 1);
	put("locators", "host", host, sizeof host - 1);
	put("locators", "relative", relative, sizeof relative - 1);
	put("locators", "absolute", absolute, sizeof absolute - 1);
	put("locators", "lone-surrogates", lone, sizeof lone - 1);
	put("locators", "alias", alias, sizeof alias - 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: make_corpus FOLDER\n");
		return 2;
	}
	folder = argv[1];
	(void)mkdir(folder, 0755);
	make("fixed", 2, 0, 0);
	make("dynamic-empty", 3, 0, 0);
	make("dynamic", 3, 2, 0xFF);
	make("differencing", 4, 2, 0x5A);
	make_cut("tail-missing", 0);
	make_cut("tail-511", 511);
	make_locators();
	return 0;
}
