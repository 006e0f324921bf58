/*
 * INIT, SIPI and NMI for a processor: what stands in vcpu.cpu.startup, how the processor takes it, and
 * the wait for SIPI in a guest that halts. The code: svm/start/startup.c, svm/processors.c.
 *
 * Shown: L1 runs there behind an INIT only from the first SIPI that came after it; an NMI that came
 * after the last INIT is not lost. By the claims at the end, under weak fairness: what was sent takes
 * effect, kicks merged or not.
 *
 * What is taken for granted of the processor: H6 and H7 of docs/proof.md; and that an NMI which was
 * sent arrives.
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef MESSAGES
#define MESSAGES 3 /* of each */
#endif
#ifndef HELD
#define HELD 0 /* L1 has a GIF, which holds INIT back */
#endif

/* vcpu.cpu.startup; the vector is a number of its own here, as it is in the same word there. */
#define INIT    1
#define SIPI    2
#define WAITING 4
#define STOP    8
#define NMI     16
byte startup;
byte vector;

bit odd;         /* vcpu.cpu.run is */
bit kicked;
bit latch;       /* the processor's, for NMIs */
bit nmi_pending; /* due.nmi of the vcpu */
bit init_held; /* due.init */
bit gif = 1;
bit stopped;

/* What was sent, in the order in which it came to the word. */
#define RUNS    0 /* L1 runs, or is to run on */
#define RESET   1 /* the last INIT is not answered by a SIPI */
#define STARTED 2 /* ... is, by one with ... */
byte sent;
byte sent_vector;
bit sent_nmi;  /* after the last INIT, and not taken yet */
bit sent_stop;

/* processors.pml is about this one. */
inline kick()
{
	atomic { tells = !kicked; kicked = 1 }; /* P1 */
	if
	:: tells -> latch = 1 /* P2 */
	:: else
	fi
}

inline send_init()
{
	d_step { /* S1 */
		tells = (startup & WAITING) != 0;
		startup = (startup & (WAITING | STOP)) | INIT;
		vector = 0;
		sent = RESET;
		sent_nmi = 0
	};
	if
	:: tells || odd -> kick() /* S2 */
	:: else
	fi
}

inline send_sipi(v)
{
	d_step { /* S3 */
		tells = (startup & (INIT | WAITING)) != 0;
		if
		:: tells && !(startup & SIPI) -> startup = startup | SIPI; vector = v
		:: else
		fi;
		if
		:: sent == RESET -> sent = STARTED; sent_vector = v
		:: else
		fi
	};
	if
	:: tells -> kick() /* S4 */
	:: else
	fi
}

inline send_nmi()
{
	d_step { startup = startup | NMI; sent_nmi = 1 }; /* S5 */
	if
	:: odd -> kick() /* S6 */
	:: else
	fi
}

inline send_stop()
{
	d_step { startup = startup | STOP; sent_stop = 1 }; /* S7 */
	kick()
}

proctype Sender(byte v)
{
	byte left = MESSAGES;
	bit tells;

	do
	:: left > 0 -> left--;
		if
		:: send_init()
		:: send_sipi(v)
		:: send_nmi()
		:: v == 1 -> send_stop()
		fi;
		tells = 0
	:: break
	od
}

inline take_signals()
{
	latch = 0;
	kicked = 0 /* P10 */
}

/* L1 begins: where the last SIPI told it to. */
inline begin_at(v)
{
	assert(sent != RESET);
	assert(sent == RUNS || sent_vector == v);
	sent = RUNS
}

inline attend_init()
{
	if
#if HELD
	:: !(found & WAITING) && !gif ->
		init_held = 1; /* S8 */
		d_step { startup = startup & (WAITING | STOP | NMI); sent = RUNS } /* S9 */
#endif
	:: else ->
		startup = startup | WAITING; /* S10 */
		startup = startup & ~INIT; /* S11 */
		nmi_pending = 0; /* S12 */
		gif = 1;
		init_held = 0
	fi
}

inline take_sipi()
{
	atomic { /* S13 */
		if
		:: startup == found && vector == found_vector ->
			startup = startup & NMI;
			vector = 0;
			begin_at(found_vector)
		:: else
		fi
	}
}

inline attend_nmi()
{
	atomic { /* S14 */
		if
		:: startup == found -> startup = startup & ~NMI; nmi_pending = 1
		:: else
		fi
	}
}

inline halt_until_kicked()
{
	latch; /* S15 */
	take_signals()
}

inline attend()
{
	do
	:: d_step { found = startup; found_vector = vector } /* S16 */
		if
		:: found & STOP -> stopped = 1; break /* S17 */
		:: !(found & STOP) && (found & INIT) -> attend_init() /* S18 */
		:: !(found & (STOP | INIT)) && (found & SIPI) -> take_sipi() /* S19 */
		:: !(found & (STOP | INIT | SIPI)) && (found & WAITING) -> halt_until_kicked() /* S20 */
		:: !(found & (STOP | INIT | SIPI | WAITING)) && (found & NMI) -> attend_nmi() /* S21 */
		:: else -> break
		fi
	od;
	found = 0;
	found_vector = 0
}

/* L1 takes what is pending; it may use its GIF. It exits now, or never but for an NMI. */
inline run_guest()
{
	if
	:: nmi_pending && gif -> d_step { nmi_pending = 0; sent_nmi = 0 }
	:: else
	fi;
	if
	:: true
	:: true -> latch /* never of itself */
	fi
}

proctype Target()
{
	byte found, found_vector;

	do
	:: !stopped ->
		odd = 1; /* P13 */
		if
		:: startup -> odd = 0; /* P15 */ attend() /* P14 */
		:: else ->
			run_guest();
			odd = 0; /* P15 */
			if
			:: latch -> take_signals()
#if HELD
			:: gif -> gif = 0 /* CLGI */
			:: !gif -> gif = 1; /* STGI */
				if
				:: init_held -> init_held = 0; d_step { startup = (startup & (WAITING | STOP)) | INIT; vector = 0; sent = RESET; sent_nmi = 0 } /* S1 */
				:: else
				fi
#endif
			:: true
			fi
		fi
	od
}

init {
	atomic {
		byte v = 1;

		run Target();
		do
		:: v <= SENDERS -> run Sender(v); v++
		:: else -> break
		od
	}
}

ltl init_takes_effect { [] (sent == RESET && !sent_stop -> <> (sent != RESET || (startup & WAITING) || sent_stop)) }
ltl sipi_takes_effect { [] (sent == STARTED -> <> (sent != STARTED || sent_stop)) }
ltl nmi_takes_effect { [] (sent_nmi -> <> (!sent_nmi || (startup & WAITING) || !gif || sent_stop)) }
ltl stop_takes_effect { [] (sent_stop -> <> stopped) }
