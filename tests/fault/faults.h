/* faults.h - what the test and the library that it puts below the daemon share: one page of memory
 * in a file. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdint.h>

enum { FAULTS_CALLS = 96, FAULTS_NAME = 24, FAULTS_SITES = 4096 };

/* Who makes a call. */
enum faults_part {
	FAULTS_OURS = 1,
	FAULTS_SQLITE = 2,
	FAULTS_JANSSON = 4,
	FAULTS_OTHERS = 8, /* other libraries, and the start of the program */
};

/* What a failing call does: an errno, or one of these. */
enum faults_short {
	FAULTS_ONE = -1,  /* moves a byte */
	FAULTS_HALF = -2, /* half of them */
	FAULTS_ZERO = -3, /* none */
};

/* A place that a call comes back to. */
struct faults_site {
	uint64_t at; /* from the start of the program; 0 = none */
	uint32_t call, seen, failed, unused;
};

/* Written by the test while `armed` is 0, but for what is counted. */
struct faults {
	uint32_t armed;
	uint32_t parts;               /* of enum faults_part */
	int32_t error;                /* an errno, or of enum faults_short */
	uint32_t last_call;           /* that failed */
	int64_t fail_at;              /* the call that fails; 0 = the first */
	int64_t burst;                /* how many fail one after the other */
	int64_t calls;                /* that could have failed */
	int64_t failed;               /* that did */
	int64_t clock_shift;          /* seconds, of the wall clock */
	uint64_t last_site;           /* of ours; 0 = none of ours */
	uint64_t only_site;           /* of ours: calls from there alone; 0 = from everywhere */
	uint64_t also_site;           /* of ours: its calls fail, too, each of them; 0 = none */
	int64_t also_error;           /* how */
	uint8_t chosen[FAULTS_CALLS]; /* which calls may fail */
	char names[FAULTS_CALLS][FAULTS_NAME];
	struct faults_site sites[FAULTS_SITES];
};

#endif
