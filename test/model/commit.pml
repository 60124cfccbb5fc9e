/*
 * commit.pml: what is invalidated when, within a server.
 *
 * Writers change the data that a value is made from, and commit; sessions look the value
 * up and create it.  A value is the set of writers that its query has seen, a snapshot the
 * set of those that it sees, so that what is served can be compared with what the query
 * would return.  Promises:
 *
 *	READ COMMITTED		A value has seen whatever the statement's snapshot sees.
 *	REPEATABLE READ		A value has seen that, and nothing else.
 *	its own changes		A transaction that has changed the data gets them.
 *	uncommitted changes	No other session gets them.
 *	catalogs			A value has seen all messages that its reader's session has got.
 *
 * Steps, and where they are in the code:
 *
 *	mark, unmark			version.c: dogpile_version_mark(), dogpile_version_unmark()
 *	begin_tick, end_tick	version.c: dogpile_version_begin_tick(), ..._end_tick()
 *	bump					version.c: dogpile_version_bump()
 *	watch					version.c: dogpile_version_watch()
 *	finish					commit.c: take_effect(), enter_all()
 *	look_up					lookup.c: find_in_store(), judge_entry(), judge_versions()
 *	is_marked_for			version.c: dogpile_version_is_marked_for()
 *	all_visible				version.c: dogpile_version_all_visible()
 *	begin_query, end_query	attempt.c: run_creator(); depend.c: dogpile_depend_begin(),
 *							dogpile_depend_end()
 *	publish					attempt.c: publish_now(); store_memory.c: shmem_publish()
 *	Writer					change.c: dogpile_change_mark(); commit.c: enter_versions(),
 *							unmark_versions(); with CATALOGS: enter_told_versions();
 *							with errors after the commit: prepared.c
 *	Session					creation.c, READ COMMITTED
 *	OldSession				the same under REPEATABLE READ; version.c:
 *							dogpile_version_note_snapshot()
 *	Deferrer				xact.c: dogpile_xact_store(); commit.c:
 *							check_entries_locked(), is_current_locked()
 *	Waiter					creation.c: wait_for_creator(); lookup.c:
 *							is_younger_than_call()
 *
 * Abstracted: one entry and one slot (entries share nothing else, and a collision of
 * slots is one more writer); an entry is copied and replaced in one step (the
 * partition's lock); transaction ids and clocks are small numbers; a commit becomes
 * visible in one step (ProcArrayEndTransaction()); memory is sequentially consistent
 * (each step in the code is an atomic operation, with barriers where it is a read).  A
 * crash empties the cache, so there is no step for it.  Time is left out: what "was
 * created after the call began" means is noted for each call.  Soft invalidation
 * promises nothing.  What is rolled back to a savepoint never gets as far as here.
 *
 * Two things in the code need no guard here: that all_visible() takes the version lock
 * (marks cover a tick that is half entered), and that publish_now() looks at the
 * versions (that only spares memory).
 *
 * A scenario is chosen by one of -DAUTO, -DOLD, -DDEFERRED, -DDEFERRED_OLD, -DCATALOGS,
 * -DWAITERS, -DTAG_WAITERS, -DOWN; run.sh has the list, and that of the guards which
 * each of them needs, to be left out by -DNO_....  -DWIDE adds a session or a writer.
 */

#ifndef CALLS
#define CALLS 2					/* of each session */
#endif

#if defined(DEFERRED) || defined(TAG_WAITERS) || defined(OWN)
#define TAGS					/* invalidated by the user, hence always entered */
#endif

/* Where no session has an older snapshot, ids do not matter. */
#if defined(OLD) || defined(DEFERRED_OLD)
#define NEXT_XID	next_xid
#else
#define NEXT_XID	0
#endif

#define NWRITERS	2
#define BIT(w)		(1 << (w))
#define MAX(a, b)	((a) > (b) -> (a) : (b))

/* Transactions: what is visible, and the ids of those that are not over. */
byte committed;
byte acknowledged;
byte sent;						/* catalogs: whose messages were sent */
byte next_xid = 1;
byte xid[NWRITERS];				/* 0: has none, or is over */

/* The table of versions: one slot. */
byte clock = 1;
byte hard_at;
byte watched_at;				/* soft_at of an object */
byte slot_next_xid;
byte marks;						/* how many */
byte marker;					/* the only one, + 1; 0: not known */
byte nreaders;
bool locked;					/* the version lock */

/* The entry. */
bool there;
byte entry_as_of;
byte entry_seen;
byte entry_after;				/* calls that had begun before it was created */

/* Calls that may wait, and have begun. */
byte begun;

/* What the variables of a call are when there is none: fewer states. */
#define FORGET_CALL	snapshot = 0; as_of = 0; seen = 0; entry.there = false; \
					entry.as_of = 0; entry.seen = 0; hit = false; n = 0

typedef Copy
{
	bool there;
	byte as_of;
	byte seen;
};

/* --------------------------------------------------------------------
 * Versions
 * --------------------------------------------------------------------
 */

inline mark(who)
{
	atomic {
#ifdef NO_SHARED_MARK
		marker = who;
#else
		if
		:: marks == 0 || marker == who -> marker = who
		:: else -> marker = 0
		fi;
#endif
		marks++
	}
}

inline unmark()
{
	atomic { marks--; marker = 0 }
}

inline begin_tick(at)
{
#ifndef NO_TICK_LOCK
	atomic { !locked -> locked = true; clock++; at = clock }
#else
	atomic { clock++; at = clock }
#endif
}

inline end_tick()
{
#ifndef NO_TICK_LOCK
	locked = false
#else
	skip
#endif
}

inline bump(at, next)
{
	slot_next_xid = MAX(slot_next_xid, next);
	hard_at = at
}

inline watch(at, next)
{
#ifdef TAGS
	skip
#else
	if
	:: watched_at != 0
	:: else ->
		next = NEXT_XID;
		begin_tick(at);
		if
		:: watched_at != 0
		:: else ->
#ifndef NO_WATCH_TICK
			slot_next_xid = MAX(slot_next_xid, next);
#endif
			watched_at = at
		fi;
		end_tick()
	fi;
	at = 0;
	next = 0
#endif
}

/* --------------------------------------------------------------------
 * The end of a transaction that has changed the data
 * --------------------------------------------------------------------
 */

inline begin_transaction(w)
{
#if defined(OLD) || defined(DEFERRED_OLD)
	atomic { xid[w] = next_xid; next_xid++ }
#else
	skip
#endif
}

inline become_visible(w)
{
	atomic { committed = committed | BIT(w); xid[w] = 0 }
}

/* Tick and bump, if the slot is watched. */
inline finish(at, next, readers)
{
#ifdef TAGS
	next = NEXT_XID;
	begin_tick(at);
	bump(at, next);
	end_tick();
#else
#if defined(NO_READERS)
	readers = false;
#elif !defined(NO_READERS_FIRST)
	readers = nreaders > 0;
#endif
	if
	:: readers || watched_at != 0 ->
enter:
		next = NEXT_XID;
		begin_tick(at);
		if
		:: readers || watched_at != 0 -> bump(at, next)
		:: else
		fi;
		end_tick()
	:: else ->
#ifdef NO_READERS_FIRST
		readers = nreaders > 0;
		if
		:: readers -> goto enter
		:: else
		fi
#endif
	fi;
#endif
	atomic { at = 0; next = 0; readers = false }
}

proctype Writer(byte w)
{
	byte at, next;
	bool readers;
	bool catalogs;

#ifdef CATALOGS
	catalogs = true;
#endif
	begin_transaction(w);
#ifndef NO_MARK
#ifndef NO_CATALOG_MARK
	if
	:: catalogs -> mark(0)
	:: else -> mark(w + 1)
	fi;
#else
	mark(w + 1);
#endif
#endif
#ifdef NO_TICK_AFTER
	finish(at, next, readers);
#endif
	if
	:: w == 1 -> xid[w] = 0		/* ABORT; one that may do so is enough */
	:: become_visible(w);
#ifndef NO_MESSAGES_FIRST
		if
		:: catalogs -> sent = sent | BIT(w)
		:: else
		fi;
#endif
#ifdef NO_UNMARK_LAST
		unmark();
#endif
#ifndef NO_TICK_AFTER
#ifdef NO_FOREIGN
		/* COMMIT PREPARED can fail when all is done. */
		if
		:: finish(at, next, readers)
		:: skip
		fi;
#else
		finish(at, next, readers);
#endif
#endif
#ifdef TAG_WAITERS
		acknowledged = acknowledged | BIT(w)
#endif
	fi;
#if !defined(NO_MARK) && !defined(NO_UNMARK_LAST)
	unmark();
#endif
#ifdef NO_UNMARK_LAST
	if
	:: (committed & BIT(w)) == 0 -> unmark()
	:: else
	fi;
#endif
#ifdef NO_MESSAGES_FIRST
	sent = sent | (committed & BIT(w));
#endif
}

/* --------------------------------------------------------------------
 * Looking the value up
 * --------------------------------------------------------------------
 */

#define IS_MARKED_FOR(snapshot) \
	(marks > 0 && (marker == 0 || (snapshot & BIT(marker - 1)) != 0))

/* hit: set to whether it may be served to this snapshot, as far as versions tell. */
inline look_up(snapshot, entry, hit)
{
	atomic {
		entry.there = there;
		entry.as_of = entry_as_of;
		entry.seen = entry_seen;
		hit = entry.there
	};
#ifndef NO_MARK_FIRST
	hit = hit && !IS_MARKED_FOR(snapshot);
	hit = hit && !(hard_at > entry.as_of)
#else
	hit = hit && !(hard_at > entry.as_of);
	hit = hit && !IS_MARKED_FOR(snapshot)
#endif
}

/* Does a snapshot see all that was ever invalidated?  This takes the lock. */
inline all_visible(xmin, noted, result)
{
	atomic {
		!locked ->
		result = true;
#ifndef NO_OLD_MARKS
		result = result && marks == 0;
#endif
#ifndef NO_OLD_VERSIONS
		result = result && (slot_next_xid <= xmin || MAX(hard_at, watched_at) <= noted)
#endif
	}
}

/* --------------------------------------------------------------------
 * Creating it
 * --------------------------------------------------------------------
 */

/* The clock, being a reader, and after both the snapshot. */
inline begin_query(as_of)
{
#ifndef NO_CLOCK_FIRST
	as_of = clock;
#endif
#ifdef TAGS
	skip
#else
	nreaders++
#endif
}

inline end_query(as_of, at, next)
{
#ifdef NO_CLOCK_FIRST
	as_of = clock;
#endif
#if defined(TAGS)
	skip
#elif defined(NO_WATCH_FIRST)
	nreaders--;
	watch(at, next)
#else
	watch(at, next);
	nreaders--
#endif
}

inline publish(as_of, seen, after)
{
	atomic {
		if
		:: !there || entry_as_of <= as_of ->
			there = true;
			entry_as_of = as_of;
			entry_seen = seen;
			entry_after = after
		:: else
		fi
	}
}

/* --------------------------------------------------------------------
 * Sessions
 * --------------------------------------------------------------------
 */

/* READ COMMITTED: a snapshot for each statement, and another one for the query. */
proctype Session(byte calls)
{
	byte snapshot, as_of, seen, at, n;
	Copy entry;
	bool hit;
	byte known;					/* of catalogs */

	do
	:: calls > 0 ->
		calls--;
		snapshot = committed;
#ifdef CATALOGS
		/* What is not in its caches is read as it is now. */
		if
		:: known = known | committed
		:: known = known | sent
		fi;
#endif
		look_up(snapshot, entry, hit);
		if
		:: hit ->
#ifdef CATALOGS
			assert((known & ~entry.seen) == 0);
#else
			assert((snapshot & ~entry.seen) == 0);
#endif
			assert((entry.seen & ~committed) == 0)
		:: else ->
			begin_query(as_of);
#ifdef CATALOGS
			known = known | sent;
			if
			:: known = known | committed
			:: skip
			fi;
			seen = known;
#else
			seen = committed;
#endif
			end_query(as_of, at, n);
			publish(as_of, seen, 0)
		fi;
		atomic { FORGET_CALL }
	:: else -> break
	od
}

/* REPEATABLE READ. */
proctype OldSession(byte calls)
{
	byte snapshot, xmin, noted, as_of, seen, at, n;
	Copy entry;
	bool hit, visible;
	byte own;					/* its snapshot; FORGET_CALL spares it */

#ifndef NO_NOTE_FIRST
	noted = clock;
#endif
	atomic {
		own = committed;
		xmin = next_xid;
		if :: xid[0] != 0 && xid[0] < xmin -> xmin = xid[0] :: else fi;
		if :: xid[1] != 0 && xid[1] < xmin -> xmin = xid[1] :: else fi
	};
#ifdef NO_NOTE_FIRST
	noted = clock;
#endif
	do
	:: calls > 0 ->
		calls--;
		look_up(own, entry, hit);
		if
		:: hit -> all_visible(xmin, noted, visible); hit = hit && visible
		:: else
		fi;
		if
		:: hit -> assert(entry.seen == own)
		:: else ->
			begin_query(as_of);
			seen = own;
			end_query(as_of, at, n);
#ifndef NO_SEES_ALL
			all_visible(xmin, noted, visible);
#else
			visible = true;
#endif
			if
			:: visible -> publish(as_of, seen, 0)
			:: else
			fi
		fi;
		atomic { FORGET_CALL; visible = false }
	:: else -> break
	od
}

#if defined(DEFERRED) || defined(DEFERRED_OLD) || defined(OWN)
/*
 * A transaction that has written, hence stores what it has created at COMMIT.  With
 * OWN, it has itself changed the data that the value is made of, and invalidated it.
 */
proctype Deferrer(byte w)
{
	byte snapshot, xmin, noted, as_of, seen, at, n;
	Copy entry;
	bool hit, refused;

#ifdef DEFERRED_OLD
	noted = clock;
	atomic {
		snapshot = committed;
		xmin = next_xid;
		if :: xid[1] != 0 && xid[1] < xmin -> xmin = xid[1] :: else fi
	};
#endif
	begin_transaction(w);
#ifdef OWN
	/* What is stored does not tell what this transaction has changed. */
#ifdef NO_OWN_CHANGES
	look_up(committed, entry, hit);
	if
	:: hit -> assert((entry.seen & BIT(w)) != 0)
	:: else
	fi;
#endif
#endif
	begin_query(as_of);
#ifdef DEFERRED_OLD
	seen = snapshot;
#else
	seen = committed;
#endif
#ifdef OWN
	seen = seen | BIT(w);
#endif
	end_query(as_of, at, n);
#ifdef NO_DEFER
	publish(as_of, seen, 0);
#endif
#ifdef OWN
	mark(w + 1);
#endif
	if
	:: xid[w] = 0;
#ifdef OWN
		unmark()
#endif
#ifdef OWN
	:: become_visible(w);
#else
	:: xid[w] = 0;				/* what it has changed is no part of the value */
#endif
		n = NEXT_XID;
		begin_tick(at);
#ifndef NO_RECHECK
		refused = hard_at > as_of;
#endif
#if defined(DEFERRED_OLD) && !defined(NO_RECHECK_OLD)
		refused = refused || !(slot_next_xid <= xmin || MAX(hard_at, watched_at) <= noted);
#endif
#ifdef OWN
		bump(at, n);
#endif
		as_of = at;
		end_tick();
#ifdef OWN
		unmark();
#endif
		if
		:: !refused -> publish(as_of, seen, 0)
		:: else
		fi
	fi
}
#endif

/* Is the entry as good as one created after a call began? */
#if defined(WAITERS) && !defined(NO_CALL_TIME)
#define IS_YOUNGER	(entry_as_of >= call_clock && (entry_after & 1) != 0)
#elif !defined(NO_CALL_CLOCK)
#define IS_YOUNGER	(entry_as_of >= call_clock)
#else
#define IS_YOUNGER	true
#endif

#if defined(WAITERS) || defined(TAG_WAITERS)
/*
 * It begins its call, waits, and gets what was created since, although that may have been
 * invalidated again.  With tags, the user has invalidated them when the COMMIT is
 * acknowledged, at the latest; without, when that happened must not be noticeable.
 */
proctype Waiter()
{
	byte snapshot, call_clock;

	atomic {
#ifdef WAITERS
		snapshot = committed;
#else
		snapshot = acknowledged;
#endif
	};
	call_clock = clock;
	begun = 1;
end:
	atomic {
		there && IS_YOUNGER -> assert((snapshot & ~entry_seen) == 0)
	}
}

/* Creates the value, maybe slowly. */
proctype Creator()
{
	byte as_of, seen, at, n, after;

	after = begun;
	begin_query(as_of);
	seen = committed;
	end_query(as_of, at, n);
	publish(as_of, seen, after)
}
#endif

init
{
	atomic {
#ifndef TAGS
		/* It may have been watched before. */
		if
		:: watched_at = clock; slot_next_xid = NEXT_XID
		:: skip
		fi;
#endif
#if defined(OWN) || defined(DEFERRED) || defined(DEFERRED_OLD)
		run Deferrer(0);
		run Writer(1);
		run Session(CALLS);
#elif defined(WAITERS) || defined(TAG_WAITERS)
		run Writer(0);
		run Waiter();
		run Creator();
		run Creator();
#elif defined(OLD)
		run Writer(0);
#ifdef WIDE
		run Writer(1);
#endif
		run Session(1);
		run OldSession(CALLS);
#elif defined(CATALOGS) && !defined(WIDE)
		run Writer(0);
		run Session(CALLS);
		run Session(1);
#else
		run Writer(0);
		run Writer(1);
		run Session(CALLS);
		run Session(1);
#endif
#if defined(WIDE) && !defined(CATALOGS) && !defined(OLD)
		run Session(1);
#endif
	}
}
