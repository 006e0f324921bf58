/*
 * Tracked frames by dirty bits: one of L1's frames that holds a table, its shadow, and N processors
 * that write it, begin and end to track it, and flush. The code: mmu/track.c, region.c, collect.c, fill.h.
 *
 * Shown: what was written to the table before a flush is not believed behind it; no TLB ever holds
 * two sizes for one address. The guest's writes are not counted, stale says that memory and shadow
 * differ: so it holds for any number of them.
 *
 * What is taken for granted of the processor: H1 to H5 of docs/proof.md. Not in here: writes by DMA,
 * which nobody sees, and L2's through NPT02.
 *
 * An atomic or d_step is one access to what others may change meanwhile, and what follows from it.
 */
#ifndef N
#define N 2 /* processors */
#endif
#ifndef FLUSHERS
#define FLUSHERS N /* so many of them do more than write, and fault */
#endif
#define HOME 0

/* What there is besides writing and flushing; the run script has the sizes. */
#ifndef REST
#define REST 0 /* 1: regions at rest; 2: and giants above them, which have other regions, too */
#endif
#ifndef FAULTS
#define FAULTS 0 /* by which the frame begins to be tracked; else it is from the beginning */
#endif
#ifndef UNTRACK
#define UNTRACK 0 /* ... and ends */
#endif
#ifndef RECLAIM
#define RECLAIM 0 /* pages of NPT01 */
#endif
#ifndef L0_WRITES
#define L0_WRITES 0
#endif

/* By what a processor's NPT01 maps the frame. */
#define NONE  0
#define SMALL 1
#define LARGE 2

/* What its TLB has of the small leaf: by a dirty one is written without setting anything. */
#define NOTHING 0
#define CLEAN   1
#define DIRTY   2

/* What is at rest: page->quiet. */
#define AWAKE   0
#define FALLING 1
#define QUIET   2

typedef processor {
	bit in_guest;
	bit flush;
	bit flush_direct;
	bit owes;  /* its next VMRUN flushes */
	bit waits; /* stores to the frame in its store buffer */
	byte leaf; /* TLB: the small leaf */
	bit upper; /* TLB: the entry above it, with A=1 */
	bit large; /* TLB: the large leaf, with D=1 */
	byte map;  /* NPT01 */
	bit A;     /* of the entry above the small leaf */
#if REST == 2
	bit A2;     /* of the one above that */
	bit upper2; /* TLB: that one, with A=1 */
	byte quiet2;
#endif
	bit D;     /* of the small leaf */
	bit unarmed;
	byte quiet
}

processor cpu[N];
bit tracked;
bit noted;    /* FRAME_DIRTY */
bit shadow;   /* there is an spte */
bit stale;    /* ... and the table says something else */
bit l0_wrote; /* so it does by a write of L0's that is not noted yet */

/* The lock; and what belongs to the one who has it. */
bit locked;
byte q, i;
bit armed, look, others, seen;
bit must;             /* he flushes, and what was written before is not in the shadow yet */
bit walked;           /* a fault has read the table ... */
bit outdated;         /* and it has been written since: by a guest, */
bit outdated_by_l0;   /* by L0 */

#define each(index) index = 0; do :: index < N ->
#define next(index) index++ :: else -> index = 0; break od

inline arrives()
{
	stale = shadow;
	outdated = walked
}

/* H1: before a locked instruction all older stores reach memory. */
inline drain(p)
{
	if
	:: cpu[p].waits -> cpu[p].waits = 0; arrives()
	:: else
	fi
}

inline lock(p)
{
	atomic { !locked -> locked = 1; drain(p) }
}

inline unlock()
{
	d_step {
		q = 0; armed = 0; look = 0; others = 0; seen = 0;
		must = 0; walked = 0; outdated = 0; outdated_by_l0 = 0;
		locked = 0
	}
}

/* sync_frame(): the shadow says what the table says now. */
inline read_table()
{
	d_step { stale = 0; l0_wrote = 0; must = 0; noted = 0 }
}

/* flush_all(), which processors.pml is about. Who has left has no store in its buffer: H3 */
inline flush_all(p)
{
	d_step {
		each(i)
			cpu[i].flush = 1;
		next(i)
	};
	each(i)
		(i == p || !cpu[i].flush || (!cpu[i].in_guest && !cpu[i].waits));
	next(i)
}

inline clear_dirty(p)
{
	cpu[q].D = 0; /* T1 */
	d_step {
		cpu[q].flush_direct = 1; /* T2 */
		cpu[q].unarmed = cpu[q].unarmed || q != p /* T3 */
	}
}

inline is_quiet()
{
	d_step {
		look = 1;
		if
		:: !REST || cpu[q].A -> cpu[q].quiet = AWAKE /* T4 */
		:: !cpu[q].A && cpu[q].quiet == QUIET -> look = 0 /* T5 */
		:: !cpu[q].A && cpu[q].quiet == FALLING && armed -> cpu[q].quiet = QUIET /* T6 */
		:: else
		fi;
		others = q == HOME && noted;
		look = look || others;
		seen = others || cpu[q].unarmed;
		if
		:: look && armed -> cpu[q].unarmed = 0 /* T7 */
		:: else
		fi
	}
}

/* The giant above: is nothing of it to be looked at? */
inline ask_giant()
{
	d_step {
		look = 1;
		others = q == HOME && noted;
		if
		:: cpu[q].A2 -> cpu[q].quiet2 = AWAKE /* T4 */
		:: !cpu[q].A2 && cpu[q].quiet2 == QUIET && !others -> look = cpu[q].quiet != QUIET /* T5 */
		:: !cpu[q].A2 && cpu[q].quiet2 == FALLING && armed -> cpu[q].quiet2 = QUIET /* T6 */
		:: else
		fi
	}
}

inline collect_region(p)
{
	is_quiet();
	if
	:: look && (seen || cpu[q].D) -> /* T8 */
		if
		:: cpu[q].D -> clear_dirty(p)
		:: else
		fi;
		read_table() /* T9 */
	:: else
	fi
}

inline let_fall(p)
{
#if REST
	if
	:: tracked && cpu[q].map == SMALL && cpu[q].quiet == AWAKE ->
		d_step {
			cpu[q].A = 0; /* T10 */
			cpu[q].quiet = (q == p -> QUIET : FALLING) /* T11 */
		};
		cpu[q].flush_direct = 1 /* T12 */
	:: else
	fi;
#endif
#if REST == 2
	if
	:: tracked && cpu[q].map == SMALL && cpu[q].quiet2 == AWAKE ->
		d_step {
			cpu[q].A2 = 0; /* T10 */
			cpu[q].quiet2 = (q == p -> QUIET : FALLING) /* T11 */
		};
		cpu[q].flush_direct = 1 /* T12 */
	:: else
	fi;
#endif
	skip
}

inline collect(p)
{
	each(q)
		armed = q == p || !cpu[q].flush_direct; /* T13 */
		if
		:: tracked && cpu[q].map == SMALL ->
#if REST == 2
			ask_giant();
			if
			:: look -> collect_region(p)
			:: else
			fi
#else
			collect_region(p)
#endif
		:: else
		fi;
		if
		:: cpu[q].flush_direct -> let_fall(p)
#if REST
		:: q == p -> let_fall(p) /* the guest asked for a flush of its own */
#endif
		:: !cpu[q].flush_direct
		fi;
	next(q)
}

inline track(p)
{
	d_step { noted = 0; tracked = 1 }; /* T14 */
	each(q)
		if
		:: cpu[q].map == LARGE ->
			d_step {
				cpu[q].map = NONE; /* T15 */
				cpu[q].flush_direct = 1;
				others = others || q != p
			}
		:: else
		fi;
	next(q);
	if
	:: others -> flush_all(p) /* T16 */
	:: else
	fi;
	each(q)
		if
		:: q == HOME && cpu[q].map == NONE -> d_step { cpu[q].map = SMALL; cpu[q].A = 1 }
		:: else
		fi;
		if
		:: cpu[q].map == SMALL -> clear_dirty(p) /* T17 */
		:: else
		fi;
	next(q)
}

/* The last shadow of the table has gone. */
inline untrack()
{
	d_step {
		each(q)
			cpu[q].unarmed = 0;
			cpu[q].quiet = AWAKE;
		next(q);
		noted = 0;
		tracked = 0;
		shadow = 0;
		stale = 0;
		l0_wrote = 0
	}
}

/* mmu_fault(): a walk of the table, and what it takes until the spte is there. */
inline fault(p)
{
	walked = 1;
	if
	:: !tracked -> track(p)
	:: tracked -> collect(p) /* another table was found to have a shadow: freshen() */
	:: tracked
	fi;
	skip; /* none may leave a loop for the middle of a step */
	d_step {
		if
		:: outdated || outdated_by_l0 -> l0_wrote = l0_wrote && shadow /* T18 */
		:: else ->
			shadow = 1;
			l0_wrote = l0_wrote && outdated_by_l0;
			stale = outdated || (outdated_by_l0 && !l0_wrote)
		fi
	}
}

/* The region of another processor is taken for something else: page_zap(), flush_zapped(). */
inline reclaim(p)
{
	if
	:: N - 1 != HOME && N - 1 != p && cpu[N - 1].map == SMALL ->
		d_step {
			noted = tracked; /* T19 */
			cpu[N - 1].map = NONE;
			cpu[N - 1].unarmed = 0;
			cpu[N - 1].quiet = AWAKE;
			cpu[N - 1].A = 0;
			cpu[N - 1].D = 0
		};
		flush_all(p)
	:: else
	fi
}

inline direct_fault(p)
{
	d_step {
		q = p;
		if
		:: tracked -> cpu[p].map = SMALL; cpu[p].A = 1
		:: else -> cpu[p].map = LARGE
		fi
	};
	if
	:: tracked -> clear_dirty(p) /* T20 */
	:: else
	fi
}

/* l1_written(): L0 writes the frame for L1, and then asks whether anybody has to know. */
inline l0_writes(p)
{
	d_step { l0_wrote = shadow || walked; outdated_by_l0 = walked }; /* T21 */
	if
	:: tracked -> lock(p); noted = tracked; /* T22 */ unlock()
	:: else
	fi;
	d_step { stale = stale || (l0_wrote && shadow); l0_wrote = 0 }
}

#if REST == 2
#define forget_upper2(p) cpu[p].upper2 = 0
#else
#define forget_upper2(p)
#endif

proctype Processor(byte p)
{
	do
	:: d_step {
			drain(p);
			if
			:: cpu[p].flush || cpu[p].flush_direct -> cpu[p].flush = 0; cpu[p].flush_direct = 0; cpu[p].owes = 1 /* T23 */
			:: else
			fi
		};
		if
		:: d_step { !cpu[p].flush -> /* VMRUN: H2 */
				if
				:: cpu[p].owes -> cpu[p].leaf = NOTHING; cpu[p].upper = 0; cpu[p].large = 0; cpu[p].owes = 0; forget_upper2(p)
				:: else
				fi;
				cpu[p].in_guest = 1
			}
			cpu[p].in_guest = 0 /* #VMEXIT */
		:: cpu[p].flush
		fi;
		if
		:: true
#if FAULTS
		:: cpu[p].map == NONE -> lock(p); direct_fault(p); unlock()
#endif
		:: p < FLUSHERS -> lock(p); must = stale; collect(p); assert(!must); unlock()
#if FAULTS
		:: p < FLUSHERS -> lock(p); fault(p); unlock()
#endif
#if UNTRACK
		:: p < FLUSHERS -> lock(p); untrack(); unlock()
#endif
#if RECLAIM
		:: p < FLUSHERS -> lock(p); reclaim(p); unlock()
#endif
#if L0_WRITES
		:: p == N - 1 -> l0_writes(p)
#endif
		fi
	od
}

/* What a processor does of itself. */
proctype Hardware(byte p)
{
	do
	:: d_step { cpu[p].waits -> arrives(); cpu[p].waits = 0 }
	:: d_step { cpu[p].waits && !stale -> arrives() } /* one of several stores */
	:: d_step { cpu[p].in_guest && cpu[p].leaf != NOTHING -> cpu[p].leaf = NOTHING }
	:: d_step { cpu[p].in_guest && cpu[p].upper -> cpu[p].upper = 0 }
	:: d_step { cpu[p].in_guest && cpu[p].large -> cpu[p].large = 0 }
	/* A walk: to the upper entries, and on to the leaf. H4 */
#if REST == 2
	:: d_step { cpu[p].in_guest && cpu[p].upper2 -> cpu[p].upper2 = 0 }
	:: d_step { cpu[p].in_guest && !cpu[p].upper2 -> cpu[p].A2 = 1; cpu[p].upper2 = 1 }
	:: d_step { cpu[p].in_guest && cpu[p].map == SMALL && cpu[p].upper2 && !cpu[p].upper -> cpu[p].A = 1; cpu[p].upper = 1 }
#else
	:: d_step { REST && cpu[p].in_guest && cpu[p].map == SMALL && !cpu[p].upper -> cpu[p].A = 1; cpu[p].upper = 1 }
#endif
	:: d_step { cpu[p].in_guest && cpu[p].map == SMALL && (cpu[p].upper || !REST) && cpu[p].leaf == NOTHING ->
			assert(!cpu[p].large);
			cpu[p].leaf = (cpu[p].D -> DIRTY : CLEAN) }
	:: d_step { cpu[p].in_guest && cpu[p].map == LARGE && !cpu[p].large ->
			assert(cpu[p].leaf == NOTHING);
			cpu[p].large = 1 }
	/* A write: where the TLB does not say D=1 it sets D. H5 */
	:: d_step { cpu[p].in_guest && cpu[p].map == SMALL && cpu[p].leaf == CLEAN -> cpu[p].D = 1; cpu[p].leaf = DIRTY; cpu[p].waits = 1 }
	:: d_step { cpu[p].in_guest && (cpu[p].leaf == DIRTY || cpu[p].large) && !cpu[p].waits -> cpu[p].waits = 1 }
	od
}

init {
	byte p = 0;

	atomic {
		do
		:: p < N ->
#if FAULTS
			cpu[p].map = LARGE;
#else
			cpu[p].map = SMALL; cpu[p].A = 1; cpu[p].flush = 1; tracked = 1; shadow = 1;
#endif
			run Processor(p); run Hardware(p);
			p++
		:: else -> break
		od
	}
}
