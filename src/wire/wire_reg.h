/*-------------------------------------------------------------------------
 *
 * wire_reg.h
 *	  Values of reg* types as bytes that other servers understand.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_reg.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_REG_H
#define DOGPILE_WIRE_REG_H

#include "lib/stringinfo.h"

extern bool dogpile_wire_is_reg(Oid typid);
extern void dogpile_wire_write_reg(StringInfo out, Oid typid, Oid value);
extern Oid	dogpile_wire_read_reg(Oid typid, const char *data, int len);

#endif							/* DOGPILE_WIRE_REG_H */
