/*
 * What processors ask of each other: N of them run guests, flush, and wait for each other to have
 * left the guest. The code: svm/cpus/processors.c, svm/exit.c, hv/lock.h.
 *
 * Shown: no page of tables is used again while a guest may be walked by it; L1 gets no NMI that
 * nobody sent it; by the claims at the end, under weak fairness, nobody waits for ever.
 *
 * What is taken for granted of the processor: H1, H2, H6 and H7 of docs/proof.md. KICK_AGAIN is
 * taken for what it is, a time in which an NMI that is not lost has been taken.
 */
#ifndef N
#define N 2 /* processors */
#endif
#ifndef GUESTS
#define GUESTS N /* of which the first so many run guests; the others stay in L0, and ask */
#endif
#ifndef ASKERS
#define ASKERS 0 /* from this one on they ask something of others ... */
#endif
#ifndef FLUSHERS
#define FLUSHERS N /* and up to this one some of it takes the lock */
#endif
#ifndef ANY_ORDER
#define ANY_ORDER 0 /* the lock goes to whoever finds it free */
#endif
#ifndef LOSSES
#define LOSSES 0 /* NMIs that get lost on their way */
#endif

/* vcpu.kicked */
#define DOWN     0
#define RECENT   1
#define LONG_AGO 2 /* KICK_AGAIN and more */

typedef processor {
	bit odd;      /* vcpu.cpu.run is */
	bit in_guest; /* it is, in truth */
	bit flush;
	bit owes;    /* tlb_control of the VMCB in use */
	bit startup; /* somebody wants something else */
	byte kicked;
	bit nmi;     /* the processor's latch */
	bit lost;    /* one that was to come here */
	bit holds;   /* its TLB leads to the page, or past it */
	bit old;     /* ... which is another one's by now */
	bit waits    /* in wait_until_left() */
}

processor cpu[N];
bit linked = 1; /* tables lead to the page */
byte losses;
byte tickets, serving;

/* CAS on kicked, then the NMI. Who is kicked more than once before he looks gets one. */
inline kick(t)
{
	atomic {
		sends = cpu[t].kicked != RECENT; /* P1 */
		if
		:: sends -> cpu[t].kicked = RECENT
		:: else
		fi
	};
	if
#if LOSSES
	:: sends && losses < LOSSES -> losses++; cpu[t].lost = 1
#endif
	:: sends -> cpu[t].nmi = 1 /* P2 */
	:: else
	fi
}

/* One that is in no guest will look before it enters one. */
inline ask(t)
{
	if
	:: cpu[t].odd -> kick(t) /* P3 */
	:: else
	fi
}

inline lock()
{
#if ANY_ORDER
	atomic { tickets == serving -> tickets = (tickets + 1) % (N + 1) } /* P18 */
#else
	atomic { ticket = tickets; tickets = (tickets + 1) % (N + 1) }; /* P4 */
	serving == ticket
#endif
}

inline unlock()
{
	serving = (serving + 1) % (N + 1) /* P5 */
}

inline flush_all(p)
{
	t = 0;
	do
	:: t < N ->
		cpu[t].flush = 1; /* P6 */
		if
		:: t != p -> ask(t)
		:: else
		fi;
		t++
	:: else -> break
	od;
	t = 0;
	do
	:: t < N && t == p -> t++
	:: t < N && t != p ->
		cpu[p].waits = 1;
		do
		:: !cpu[t].odd -> break /* P7 */
		:: cpu[t].odd && !cpu[t].flush -> break /* P8 */
#if LOSSES
		:: cpu[t].kicked == LONG_AGO -> kick(t) /* P9 */
#endif
		od;
		cpu[p].waits = 0;
		t++
	:: else -> break
	od;
	t = 0
}

/* page_zap(), flush_zapped(): what uses the page next is nothing to walk by. */
inline use_again(p)
{
	linked = 0;
	flush_all(p);
	d_step {
		t = 0;
		do
		:: t < N ->
			assert(!(cpu[t].in_guest && cpu[t].holds));
			cpu[t].old = cpu[t].holds;
			t++
		:: else -> break
		od;
		t = 0
	};
	linked = 1
}

/* The GIF window: the NMI that is pending is taken, and lowers the flag. */
inline take_signals(p)
{
	cpu[p].nmi = 0;
	d_step {
		assert(cpu[p].kicked != DOWN); /* else it is L1's */
		cpu[p].kicked = DOWN /* P10 */
	}
}

/* A guest that exits, now or then, or never but for an NMI. Its walks load what there is. */
inline run_guest(p)
{
	d_step { /* VMRUN */
		if
		:: cpu[p].owes -> cpu[p].holds = 0; cpu[p].old = 0; cpu[p].owes = 0
		:: else
		fi;
		assert(!cpu[p].old);
		cpu[p].in_guest = 1
	};
	if
	:: linked -> cpu[p].holds = 1
	:: true
	fi;
	if
	:: true
	:: true -> cpu[p].nmi /* never of itself */
	fi;
	cpu[p].in_guest = 0
}

/* vcpu_run(), once around */
inline run_loop(p)
{
	if
	:: cpu[p].flush -> cpu[p].flush = 0; /* P11 */ cpu[p].owes = 1 /* P12 */
	:: else
	fi;
	cpu[p].odd = 1; /* P13 */
	if
	:: cpu[p].flush || cpu[p].startup -> /* P14 */
		cpu[p].odd = 0; /* P15 */
		cpu[p].startup = 0;
		if /* a #VMEXIT to L1 before L2 has run: L1's VMCB owes nothing */
		:: cpu[p].owes -> cpu[p].flush = 1; /* P16 */ cpu[p].owes = 0
		:: true
		fi
	:: else ->
		run_guest(p);
		cpu[p].odd = 0; /* P15 */
		if
		:: cpu[p].nmi -> take_signals(p)
		:: true
		fi
	fi
}

proctype Processor(byte p)
{
	byte t, ticket;
	bit sends;

	do
	:: p < GUESTS -> run_loop(p)
	:: p >= ASKERS && p < FLUSHERS -> lock(); use_again(p); unlock(); ticket = 0
	:: p >= ASKERS && p < FLUSHERS -> lock(); t = !p; cpu[t].flush = 1; kick(t); /* P17 */ unlock(); ticket = 0; t = 0
	:: p >= ASKERS -> t = !p; cpu[t].startup = 1; ask(t); t = 0
	od
}

#if LOSSES
/* Time passes, which shows that an NMI got lost. */
proctype Clock()
{
	do
	:: d_step { cpu[0].lost -> cpu[0].lost = 0; cpu[0].kicked = LONG_AGO }
#if GUESTS > 1
	:: d_step { cpu[1].lost -> cpu[1].lost = 0; cpu[1].kicked = LONG_AGO }
#endif
	od
}
#endif

init {
	byte p = 0;

	atomic {
		do
		:: p < N -> run Processor(p); p++
		:: else -> break
		od;
#if LOSSES
		run Clock()
#endif
	}
}

/* Claims: the run script says which. A guest need not exit but for an NMI. */
ltl flushes_end { [] (cpu[N - 1].waits -> <> !cpu[N - 1].waits) }
ltl wishes_are_seen { [] (cpu[0].startup -> <> !cpu[0].startup) }
