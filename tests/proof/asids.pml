/*
 * ASIDs that share a shadow page: one entry of a table of L1's, the spte that shadows it for all, and
 * processors that run L2 by it, each under one ASID or two. The code: mmu/root.c, change.h, fill.h, fault.c, sync.c.
 *
 * Shown: L2 sees only what the entry has said while its ASID ran on its processor, since L1 last
 * flushed it there; so could a TLB. That a flush reads what was written is track.pml's.
 *
 * What is taken for granted of the processor: H1 and H2 of docs/proof.md.
 */
#ifndef ASIDS
#define ASIDS 2
#endif
#ifndef CPUS
#define CPUS 2
#endif
#define CONTEXTS (CPUS * ASIDS)

/* What an entry says: nothing, or one of two frames. */
#define ABSENT 0
#define EMPTY  3 /* of a store buffer */
#define bit_of(says) (1 << (says))

typedef context { /* an ASID on a processor */
	bit runs;
	bit fresh;
	bit behind;  /* sptes came to say something new, and it has not looked */
	byte tlb;
	byte may_see /* bits: what the entry said while it ran */
}

context on[CONTEXTS];
byte entry, spte;
byte store[CPUS] = EMPTY;
byte last[CPUS]; /* whose root is the current one */
bit locked;
byte c; /* for loops within one step */

inline says(value)
{
	entry = value;
	c = 0;
	do
	:: c < CONTEXTS && on[c].runs -> on[c].may_see = on[c].may_see | bit_of(entry); c++
	:: c < CONTEXTS && !on[c].runs -> c++
	:: else -> break
	od;
	c = 0
}

/* H1 */
inline drain(p)
{
	if
	:: store[p] != EMPTY -> says(store[p]); store[p] = EMPTY
	:: else
	fi
}

inline lock(p)
{
	d_step { !locked -> locked = 1; drain(p) }
}

inline unlock()
{
	locked = 0
}

/* An spte is about to say something new: all who run later have to look at it. */
inline note_change()
{
	d_step {
		c = 0;
		do
		:: c < CONTEXTS -> on[c].behind = 1; /* A1 */ c++
		:: else -> break
		od;
		c = 0
	}
}

inline sync_spte()
{
	read = entry;
	if
	:: spte != ABSENT && spte != read ->
		if
		:: read != ABSENT ->
			note_change(); /* A5 */
			if
			:: entry == read -> spte = read /* A6 */
#if CPUS > 1
			:: else -> spte = ABSENT
#endif
			fi
		:: else -> spte = ABSENT
		fi
	:: else
	fi;
	read = ABSENT
}

/* mmu_current_root(), else mmu_load_root(). */
inline load_root(p, x)
{
	d_step { drain(p) }; /* A2 */
	if
	:: last[p] == x && on[x].fresh && !on[x].behind /* A3 */
	:: else ->
		lock(p);
		last[p] = x;
		if
		:: !on[x].fresh || on[x].behind -> sync_spte() /* A4 */
		:: else
		fi;
		d_step { on[x].fresh = 1; on[x].behind = 0 };
		unlock()
	fi
}

/* The entry is walked, and becomes an spte if it has not changed behind the note. */
inline fault(p, x)
{
	lock(p);
	read = entry;
	if
	:: read != ABSENT ->
		note_change(); /* A7 */
		if
		:: entry == read -> spte = read /* T18 */
		:: else
		fi;
		on[x].behind = 0 /* A8 */
	:: else
	fi;
	read = ABSENT;
	unlock()
}

proctype Processor(byte p)
{
	byte x, read;

	do
	:: store[p] == EMPTY -> /* L1 writes */
		if
		:: store[p] = ABSENT
		:: store[p] = 1
		:: store[p] = 2
		fi
	:: x = p * ASIDS; /* L1's VMRUN */
		if
		:: true
#if ASIDS > 1
		:: x++
#endif
		fi;
		atomic {
			if
			:: on[x].fresh = 0; on[x].may_see = 0; on[x].tlb = ABSENT /* which flushes */
			:: true
			fi;
			on[x].runs = 1;
			on[x].may_see = on[x].may_see | bit_of((store[p] == EMPTY -> entry : store[p]))
		};
		load_root(p, x);
		do /* L2: what it sees comes from the TLB, if it is there, or from the spte */
		:: d_step { spte != ABSENT && on[x].tlb == ABSENT -> on[x].tlb = spte;
				assert(on[x].may_see & bit_of(spte)) }
		:: on[x].tlb != ABSENT -> on[x].tlb = ABSENT
		:: spte == ABSENT -> fault(p, x)
		:: break
		od;
		on[x].runs = 0;
		x = 0
	od
}

/* The store reaches memory when it likes. */
proctype Buffer(byte p)
{
	do
	:: d_step { store[p] != EMPTY -> drain(p) }
	od
}

init {
	atomic {
		run Processor(0);
		run Buffer(0);
#if CPUS > 1
		run Processor(1);
		run Buffer(1)
#endif
	}
}
