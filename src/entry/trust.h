/*-------------------------------------------------------------------------
 *
 * trust.h
 *	  Which code may run although nobody has asked for it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/trust.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TRUST_H
#define DOGPILE_TRUST_H

/* The constraints of a domain, and of those that it is over. */
typedef struct DogpileDomain
{
	bool		is_trusted;		/* can all of them be checked without running
								 * code that a user has defined? */
	int			count;
	struct DogpileDomainCheck *checks;	/* of a trusted one, once prepared */
	struct ExprContext *econtext;
	int16		typlen;
} DogpileDomain;

extern bool dogpile_trust_range(Oid typid);
extern DogpileDomain *dogpile_trust_domain(Oid typid);
extern void dogpile_trust_check_domain(DogpileDomain *domain, Datum value);

#endif							/* DOGPILE_TRUST_H */
