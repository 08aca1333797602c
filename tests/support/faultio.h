/* faultio.h - wraps a store so that the n-th call fails. */
#ifndef FAULTIO_H
#define FAULTIO_H

#include "vhd.h"

enum fault_op {
	FAULT_READ = 1 << 0, /* also reads that may not block */
	FAULT_WRITE = 1 << 1,
	FAULT_RESIZE = 1 << 2,
	FAULT_SIZE = 1 << 3,
	FAULT_PUNCH = 1 << 4,
	FAULT_ALLOCATE = 1 << 5,
	FAULT_FLUSH = 1 << 6,
	FAULT_LOCK = 1 << 7,
	FAULT_REREAD = 1 << 8,
	FAULT_ALL = (1 << 9) - 1,
};

/* Shared by all the stores of a test; fields may be set between calls. */
struct faults {
	unsigned ops;  /* which calls count: enum fault_op */
	int sys;       /* errno they fail with */
	long fail_at;  /* 0 = the first counted call; negative = none */
	bool for_ever; /* all that follow fail as well */
	bool torn;     /* a write that fails has written its first half */
	long calls;    /* counted so far */
	long failed;
	unsigned last;     /* the op that failed last */
	uint64_t last_off; /* where, for reads and writes */
};

/* Takes over `io`; `faults` must outlive the result. */
struct vhd_io faultio_wrap(struct vhd_io io, struct faults *faults);

#endif
