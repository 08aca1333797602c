/* mutant.h - wrong orderings M1 to M14 that the tests of power cuts must catch; only in the test
 * build. */
#ifndef MUTANT_H
#define MUTANT_H

#ifdef VHDD_TESTING
extern int vhd_mutant; /* 0 = the right order, n = Mn */
#define MUTANT(n) __builtin_expect(vhd_mutant == (n), 0)
#else
#define MUTANT(n) 0
#endif

#endif
