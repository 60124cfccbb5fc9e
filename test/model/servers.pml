/*
 * servers.pml: what is invalidated when, between servers that share a store.
 *
 * The primary changes data, and tells the store before and after its COMMIT; its
 * standby replays the changes later.  Sessions of both create the value and read it.  A
 * value is the number of the last change that its query has seen.  Promises to a session
 * that begins to read a value from the store:
 *
 *	on the primary		It has seen all that was visible there.
 *	on the standby		It has seen all that was visible on the primary, except what
 *						the primary could not deliver to the store, and has not yet.
 *	after a crash		The same.
 *	a store that forgets	It has seen all whose COMMIT was acknowledged.
 *	what was set		No creator that began before overwrites it.
 *	creators			There is one among all servers.
 *
 * Steps, and where they are in the code:
 *
 *	put_mark				announce.c: dogpile_announce_send(), look_at_tokens(), mark();
 *							token.c: dogpile_token_make_mark()
 *	leave_mark				announce.c: deliver_marks(), deliver_slowly(); token.c:
 *							dogpile_token_leave_mark()
 *	suspect_add, ...		suspect.c: dogpile_suspect_add(), ..._release(), ..._remove()
 *	settle					mend.c: dogpile_mend_region()
 *	Writer					outbox.c; announce.c: dogpile_announce_commit(),
 *							dogpile_announce_abort(); at its end, worker.c: tend().
 *							With -DOWN, it stores a value that it has computed:
 *							grant.c: dogpile_grant_follow_tokens(); announce.c:
 *							dogpile_announce_follow(), choose_rest()
 *	Creator					grant.c: dogpile_grant_begin(), note_tokens();
 *							store_remote.c: remote_publish(); token.c: dogpile_token_create_missing(),
 *							make_first(), dogpile_token_is_replayed()
 *	Reader					store_remote.c: remote_get(); token.c: dogpile_token_compare()
 *	Setter					store_remote.c: store_set()
 *	Expiry					the lease of a mark or lock, which lease.c and the worker
 *							renew as long as their owner lives
 *
 * Abstracted: one value with one token, which is its region's, so that what settles a
 * region meets marks; tokens are numbers instead of random texts; a commit is flushed,
 * visible and received by the standby in one step (synchronous_commit is on; where it is
 * off, or the standby receives late, see doc/guarantees.md); a compare-and-set is one step.
 * Each call can fail, with or without having acted, FAULTS times.  A crash of the
 * primary (-DCRASH) ends its sessions at any step; leases run out after it.
 *
 * Things in the code that need no guard here: that no session stores a value while there
 * is a mark (it would be invalid), and that a commit without a mark makes its region
 * suspect again at its end (it is suspect until that end anyway).
 *
 * A scenario is chosen by one of -DMARKS, -DOWN, -DFAULTS=n, -DFORGET, -DSETS, -DLOCKS, with
 * or without -DCRASH; run.sh has the list, and that of the guards which each of them
 * needs, to be left out by -DNO_....
 */

#ifndef FAULTS
#define FAULTS	0
#endif
#ifndef WRITERS
#define WRITERS	1
#endif
#ifndef TRIES
#define TRIES	1				/* of PRE_COMMIT; one more at the end */
#endif

/* The creator from before a crash. */
#ifndef CREATOR_ON
#define CREATOR_ON	A
#endif
#define CREATOR		(1 + CREATOR_ON)

#define A		0				/* the primary */
#define B		1				/* its standby */
#define AGAIN	2				/* the primary, after a crash */

#define NOTHING	0
#define TOKEN	1
#define MARK	2

typedef Token
{
	byte kind;
	byte id;
	byte n;						/* how far one must have replayed; or the mark's users */
	byte joined;				/* the last to have joined the mark */
};

#define SAME(one, other)	\
	(one.kind == other.kind && one.id == other.id && one.n == other.n && \
	 one.joined == other.joined)
#define COPY(to, from)		\
	to.kind = from.kind; to.id = from.id; to.n = from.n; to.joined = from.joined
/* What no longer matters: fewer states. */
#define FORGET_TOKEN(t)		COPY(t, no_token)
#define MAX(a, b)			((a) > (b) -> (a) : (b))

/* The data. */
Token no_token;
byte db;						/* the last change; visible on the primary */
byte replayed;					/* ... and on the standby */
byte acknowledged;
byte told;						/* the last one of which the store knows */
bool crashed;

/* The store. */
Token token;
byte last_id;
bool there;
byte entry_id;
byte entry_seen;
bool entry_set;
bool was_set;					/* by the user */
byte lock;						/* of a creator; 0: free */
byte ncreating;					/* with the lock, as they believe */
byte faults = FAULTS;
bool forgot;

/* What the primary suspects. */
byte suspicion;					/* number of the latest one; 0: none */
byte last_suspicion;
byte holders;
bool durable;

/* Calls that end the process if its server has crashed. */
#define AS_LONG_AS_IT_LIVES(server)	unless { crashed && server == A }

/* --------------------------------------------------------------------
 * Suspicion
 * --------------------------------------------------------------------
 */

inline suspect_add(hold)
{
#ifndef NO_SUSPECT
	atomic {
#ifndef NO_NUMBER
		last_suspicion++;
		suspicion = last_suspicion;
#else
		suspicion = 1;
#endif
#ifndef NO_DURABLE
		durable = true;
#endif
		if
		:: hold -> holders++
		:: else
		fi
	}
#else
	skip
#endif
}

/* result: may the region be used? */
inline settle(now, number, result)
{
	atomic { number = suspicion; result = number == 0 };
	if
	:: result
	:: !result && holders > 0
	:: !result && holders == 0 ->
#ifndef NO_SETTLE_WAIT
		/* Another transaction's mark stays; nothing is worth anything until then. */
		atomic { COPY(now, token) };
		if
		:: now.kind == MARK -> goto settled
		:: else
		fi;
#endif
		if
		:: atomic {
#ifndef NO_SETTLE_WAIT
			SAME(now, token) ->
#endif
			last_id++;
			token.kind = TOKEN;
			token.id = last_id;
			token.n = db
		   };
			atomic {
				if
				:: suspicion == number -> suspicion = 0; durable = false; told = db; result = true
				:: else
				fi
			}
#ifndef NO_SETTLE_WAIT
		:: !SAME(now, token)
#endif
		:: faults > 0 -> faults--
		fi;
settled:
		skip
	fi;
	atomic { FORGET_TOKEN(now); number = 0 }
}

/* --------------------------------------------------------------------
 * A transaction that changes the data
 * --------------------------------------------------------------------
 */

/* Is what this transaction has computed still worth something? */
inline follow(replaced)
{
#if defined(OWN) && !defined(NO_OWN_NOTED)
	has_own = has_own && SAME(replaced, noted)
#else
	skip
#endif
}

/* The token that takes the place of what was seen there. */
inline make_next(seen)
{
	next.kind = TOKEN;
	next.joined = 0;
	if
#if defined(OWN) && !defined(NO_OWN_ALONE)
	:: has_own && SAME(seen, mark) && mark.n == 1 -> next.id = own_id
#elif defined(OWN)
	:: has_own -> next.id = own_id
#endif
	:: else -> last_id++; next.id = last_id
	fi;
#ifndef NO_WAL_LATE
	next.n = db
#else
	next.n = position
#endif
}

/* PRE_COMMIT */
inline put_mark()
{
	tries = TRIES;
	do
	:: tries == 0 || is_sent -> break
	:: tries > 0 && !is_sent ->
		tries--;
		if
		:: atomic { COPY(now, token) }
		:: faults > 0 -> faults--; break
		fi;
		atomic {
#ifndef NO_MARK_COUNT
			if
			:: now.kind == MARK -> COPY(mark, now); mark.n++
			:: else -> last_id++; mark.kind = MARK; mark.id = last_id; mark.n = 1
			fi
#else
			last_id++; mark.kind = MARK; mark.id = last_id; mark.n = 1
#endif
#ifndef NO_JOINED
			;
			last_id++;
			mark.joined = last_id
#endif
		};
		if
		:: atomic {
			if
			:: SAME(now, token) ->
				COPY(token, mark);
				is_sent = true;
				had_forgotten = forgot;
				follow(now)
			:: else
			fi
		   }
		:: atomic {
			faults > 0 ->
			faults--;
			is_left_there = true;
			if
			:: SAME(now, token) -> COPY(token, mark)
			:: else
			fi
		   };
		   break
		:: faults > 0 -> faults--; break
		fi
	od;
	atomic { tries = 0; FORGET_TOKEN(now) }
}

#ifndef NO_MARK_NUMBER
#define IS_OF_OTHERS(now, mark)	(now.kind == MARK && now.id != mark.id)
#else
#define IS_OF_OTHERS(now, mark)	false
#endif
#ifndef NO_MARK_COUNT
#define IS_SHARED(now, mark)	(now.kind == MARK && !IS_OF_OTHERS(now, mark) && now.n > 1)
#else
#define IS_SHARED(now, mark)	false
#endif

/* COMMIT or ABORT; is_left: set if that has worked */
inline leave_mark(only_if_same)
{
	tries = TRIES + 1;
#ifdef NO_WAL_LATE
	position = db;
#endif
	do
	:: tries == 0 || is_left -> break
	:: tries > 0 && !is_left ->
		tries--;
		if
		:: atomic { COPY(now, token) }
		:: faults > 0 -> faults--; break
		fi;
		atomic {
			if
			:: only_if_same && !SAME(now, mark) -> is_left = true
			:: !only_if_same && IS_OF_OTHERS(now, mark) -> is_left = true
			:: !(only_if_same && !SAME(now, mark)) && IS_SHARED(now, mark) ->
				COPY(next, now);
				next.n--
			:: else -> make_next(now)
			fi
		};
		if
		:: is_left
		:: else ->
			if
			:: atomic {
				if
				:: SAME(now, token) -> COPY(token, next); is_left = true
				:: else
				fi
			   }
			:: faults > 0 -> faults--; break
			fi
		fi
	od;
	atomic { tries = 0; FORGET_TOKEN(now); FORGET_TOKEN(next) }
}

proctype Writer(bool commits)
{
	Token now, mark, next;
	byte mine, tries;
	bool is_sent, is_left_there, is_left, is_held, had_forgotten;
#ifdef NO_WAL_LATE
	byte position;
#endif
#ifdef OWN
	Token noted;
	byte own_id, own_seen;
	bool has_own;
#endif

	{
#ifdef OWN
		atomic { COPY(noted, token); has_own = noted.kind == TOKEN };
		atomic { own_seen = db; last_id++; own_id = last_id };
#endif
#ifndef NO_OUTSIDE_MARK
		put_mark();
#else
		is_sent = true;
#endif
		if
		:: !is_sent ->
#ifndef NO_HOLD
			suspect_add(true);
			is_held = true
#else
			suspect_add(false)
#endif
		:: else
		fi;
		if
		:: skip					/* ABORT */
		:: atomic {
			commits ->
			db++;
			mine = db;
#ifdef OWN
			/* What others have changed meanwhile it has not seen. */
			if
			:: own_seen == mine - 1 -> own_seen = mine
			:: else
			fi;
#endif
			if
			:: is_sent && had_forgotten == forgot -> told = MAX(told, mine)
			:: else
			fi
		   }
		fi;
		if
		:: is_sent ->
			leave_mark(false);
			if
			:: !is_left -> suspect_add(false)
			:: else
			fi
		:: else
		fi;
		if
		:: !is_sent && mine > 0 -> suspect_add(false)
		:: else
		fi;
#ifndef NO_SUSPECT
		if
		:: is_held -> holders--
		:: else
		fi;
#endif
#ifdef OWN
		if
		:: atomic { has_own && mine > 0 -> there = true; entry_id = own_id; entry_seen = own_seen }
		:: else
		fi;
		atomic { FORGET_TOKEN(noted); own_id = 0; own_seen = 0; has_own = false };
#endif
		acknowledged = MAX(acknowledged, mine);

		/* The worker. */
		if
		:: is_sent && !is_left -> leave_mark(false)
		:: !is_sent && is_left_there -> leave_mark(true)
		:: else
		fi;
		atomic {
			FORGET_TOKEN(mark);
			mine = 0;
			is_sent = false;
			is_left_there = false;
			is_left = false;
			is_held = false
		}
	} AS_LONG_AS_IT_LIVES(A)
}

/* --------------------------------------------------------------------
 * Creating the value
 * --------------------------------------------------------------------
 */

/* Give the lock up, if it is still ours. */
inline unlock(me)
{
	atomic {
#ifndef NO_COMPARE
		if
		:: lock == me -> lock = 0
		:: else
		fi
#else
		lock = 0
#endif
	}
}

#define SEES(server)	(server == B -> replayed : db)

proctype Creator(byte me; byte server)
{
	Token now;
	byte seen, number;
	bool may_use, creates;

	{
		may_use = true;
		if
		:: server != B -> settle(now, number, may_use)
		:: else
		fi;
		if
		:: !may_use -> goto out
		:: else
		fi;
		atomic {
#ifndef NO_LOCK
			if
			:: lock == 0 -> lock = me
			:: else -> goto out
			fi;
#endif
			ncreating++;
			creates = true;
#ifdef LOCKS
			assert(ncreating == 1)
#endif
		};
#ifdef NO_TOKEN_FIRST
		seen = SEES(server);
#endif
		atomic { COPY(now, token) };
		if
		:: now.kind == NOTHING ->
			atomic {
				if
				:: token.kind == NOTHING ->
#ifndef NO_FRESH
					last_id++;
#endif
					token.kind = TOKEN;
#ifndef NO_FRESH
					token.id = last_id;
#else
					token.id = 1;
#endif
					token.n = db
				:: else
				fi
			};
			atomic { COPY(now, token) }
		:: else
		fi;
		if
		:: now.kind != TOKEN -> skip
		:: now.kind == TOKEN && there && entry_id == now.id -> skip	/* it was created meanwhile */
#ifndef NO_WAL
		:: now.kind == TOKEN && server == B && now.n > replayed -> skip
#endif
		:: else ->
#ifndef NO_TOKEN_FIRST
			seen = SEES(server);
#endif
			atomic {
#ifndef NO_FENCE
				if
				:: lock == me ->
#endif
					assert(!was_set);
					there = true; entry_id = now.id; entry_seen = seen; entry_set = false
#ifndef NO_FENCE
				:: else
				fi
#endif
			}
		fi;
		atomic { creates = false; ncreating--; FORGET_TOKEN(now); seen = 0 };
		unlock(me);
out:
		skip
	} AS_LONG_AS_IT_LIVES(server)
	if
	:: atomic { crashed && creates -> ncreating--; creates = false }
	:: else
	fi
}

/* --------------------------------------------------------------------
 * Reading it
 * --------------------------------------------------------------------
 */

proctype Reader(byte server)
{
	Token now;
	byte must_see, number;
	byte id, seen;
	bool may_use, found;

	{
		atomic {
#ifdef FORGET
			must_see = acknowledged;
#else
			if
			:: server == B -> must_see = told
			:: else -> must_see = db
			fi
#endif
		};
		may_use = true;
		if
		:: server != B -> settle(now, number, may_use)
		:: else
		fi;
		if
		:: may_use ->
			atomic { found = there; id = entry_id; seen = entry_seen };
			assert(!(found && token.kind == TOKEN && token.id == id) || seen >= must_see)
		:: else
		fi
	} AS_LONG_AS_IT_LIVES(server)
}

/*
 * What a session that begins to read now must not find, if it reads in one step, which
 * makes fewer states.  If the store forgets, only changes after that count.
 */
proctype Monitor()
{
end:
	atomic {
		there && token.kind == TOKEN && token.id == entry_id && suspicion == 0 &&
#ifdef FORGET
		entry_seen < told ->
#else
		entry_seen < db ->
#endif
		assert(false)
	}
}

/* --------------------------------------------------------------------
 * What the user has set
 * --------------------------------------------------------------------
 */

proctype Setter()
{
	/* Its own lock takes the place of whatever is there. */
#ifdef NO_LOCK_FIRST
	lock = 0;
#else
	lock = 9;
#endif
	atomic { there = true; entry_id = token.id; entry_set = true };
	was_set = true;
	unlock(9);
	assert(entry_set)
}

/* --------------------------------------------------------------------
 * What happens to servers and stores
 * --------------------------------------------------------------------
 */

proctype Replay()
{
end:
	do
	:: replayed < db -> replayed++
	od
}

/* The primary is gone, and comes back with what its files tell. */
proctype Crash()
{
	atomic {
		crashed = true;
		holders = 0;
		if
		:: !durable -> suspicion = 0
		:: else
		fi
	}
}

/* Leases end: those of a server that has crashed, and those of slow sessions. */
proctype Expiry()
{
end:
	do
	:: atomic { crashed && token.kind == MARK -> FORGET_TOKEN(token) }
#ifdef NO_RENEW
	:: atomic { token.kind == MARK -> FORGET_TOKEN(token) }
#endif
	:: atomic { crashed && lock % 2 == 1 -> lock = 0 }
#ifdef SETS
	:: atomic { lock != 0 && lock != 9 -> lock = 0 }
#endif
	od
}

proctype Forget()
{
	atomic { token.kind != NOTHING -> FORGET_TOKEN(token); forgot = true }
}

init
{
	atomic {
		token.kind = TOKEN;
		token.id = 1;
		last_id = 1;
#if !defined(SETS) && !defined(LOCKS)
		if
		:: there = true; entry_id = 1
		:: skip
		fi;
#endif
#ifdef SETS
		run Creator(1, A);
		run Creator(2, B);
		run Setter();
#elif defined(LOCKS)
		run Creator(1, A);
		run Creator(2, B);
		run Creator(3, A);
#elif defined(STANDBY)
		run Writer(true);
		run Creator(2, B);
		run Replay();
#if WRITERS > 1
		run Writer(true);
		run Monitor();
#else
		run Reader(B);
		run Reader(A);
#endif
#elif defined(OWN)
		run Writer(true);
		run Writer(true);
		run Monitor();
#elif defined(CRASH)
		run Writer(true);
		run Crash();
		run Creator(CREATOR, CREATOR_ON);
		run Reader(AGAIN);
#else
		run Writer(true);
#if WRITERS > 1
#ifdef WIDE
		run Writer(true);
#else
		run Writer(false);		/* one that commits is enough, and fewer states */
#endif
#endif
		run Creator(1, A);
#if WRITERS > 1
		run Monitor();
#else
		run Reader(A);
#endif
#endif
#ifdef FORGET
		run Forget();
#endif
		run Expiry();
	}
}
