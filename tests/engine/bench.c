/* bench.c - what the small tests of the engine begin and end with. */
#include "bench.h"

#include "test.h"

int bench_set_up(void **state)
{
	static struct bench bench;

	bench = (struct bench){.parent_file = memio_new(NULL), .file = memio_new(NULL)};
	*state = &bench;
	return vhd_engine_new(NULL, &bench.engine, NULL);
}

int bench_tear_down(void **state)
{
	struct bench *bench = *state;

	vhd_close(bench->disk);
	vhd_close(bench->parent);
	vhd_engine_free(bench->engine);
	memio_free(bench->file);
	memio_free(bench->parent_file);
	return 0;
}

int reopen(struct bench *bench, unsigned flags)
{
	struct vhd_io io = memio_io(bench->file);
	int r;

	vhd_close(bench->disk);
	bench->disk = NULL;
	r = vhd_open(bench->engine, &io, flags, NULL, &bench->disk, &bench->err);
	vhd_io_close(&io);
	return r;
}

void must(const struct bench *bench, int r)
{
	if (r < 0)
		fail_msg("%s", bench->err.text);
}
