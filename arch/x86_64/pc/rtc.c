/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock: Motorola MC146818A data sheet, and the century where ACPI's FADT says that it is. */
#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/x86.h"

#define CMOS_INDEX 0x70u
#define CMOS_DATA  0x71u

#define RTC_SECONDS 0x00u
#define RTC_MINUTES 0x02u
#define RTC_HOURS   0x04u
#define RTC_DAY     0x07u
#define RTC_MONTH   0x08u
#define RTC_YEAR    0x09u
#define RTC_A       0x0au
#define RTC_B       0x0bu

#define A_UPDATING 0x80u
#define B_24_HOURS 0x02u
#define B_BINARY   0x04u
#define HOUR_PM    0x80u

struct date {
	unsigned second, minute, hour, day, month, year, century;
};

uint8_t rtc_register(uint8_t index)
{
	out8(CMOS_INDEX, index);
	return in8(CMOS_DATA);
}

/* All fields as they are; false if an update was going on all the time (no clock: every register reads 0xff). */
static bool read_raw(struct date *d, uint8_t century)
{
	unsigned n = 0;

	while ((rtc_register(RTC_A) & A_UPDATING) != 0)
		if (++n > 100000)
			return false;
	*d = (struct date){ .second = rtc_register(RTC_SECONDS),
			    .minute = rtc_register(RTC_MINUTES),
			    .hour = rtc_register(RTC_HOURS),
			    .day = rtc_register(RTC_DAY),
			    .month = rtc_register(RTC_MONTH),
			    .year = rtc_register(RTC_YEAR),
			    .century = century != 0 && century < 0x80 ? rtc_register(century) : 0 };
	return true;
}

static bool same(const struct date *a, const struct date *b)
{
	return a->second == b->second && a->minute == b->minute && a->hour == b->hour && a->day == b->day &&
	       a->month == b->month && a->year == b->year && a->century == b->century;
}

static unsigned from_bcd(unsigned v)
{
	return (v >> 4) * 10 + (v & 15);
}

static void decode(struct date *d, uint8_t mode)
{
	bool pm = (mode & B_24_HOURS) == 0 && (d->hour & HOUR_PM) != 0;

	if ((mode & B_24_HOURS) == 0)
		d->hour &= ~HOUR_PM;
	if ((mode & B_BINARY) == 0)
		*d = (struct date){ .second = from_bcd(d->second),
				    .minute = from_bcd(d->minute),
				    .hour = from_bcd(d->hour),
				    .day = from_bcd(d->day),
				    .month = from_bcd(d->month),
				    .year = from_bcd(d->year),
				    .century = from_bcd(d->century) };
	if ((mode & B_24_HOURS) == 0)
		d->hour = d->hour % 12 + (pm ? 12 : 0);
	d->year += 100 * (d->century >= 19 && d->century <= 29 ? d->century : 20);
}

/* Days since 1970-01-01 in the Gregorian calendar, with years that start in March. */
static uint64_t days(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month > 2 ? year : year - 1;
	unsigned m = month > 2 ? month - 3 : month + 9;

	return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t rtc_read(uint8_t century)
{
	struct date a, b = { 0 };

	if (!read_raw(&a, century))
		return 0;
	/* Twice the same: no update came in between. */
	for (unsigned n = 0; n < 5 && !same(&a, &b); n++) {
		b = a;
		if (!read_raw(&a, century))
			return 0;
	}
	decode(&a, rtc_register(RTC_B));
	if (a.second > 60 || a.minute > 59 || a.hour > 23 || a.day < 1 || a.day > 31 || a.month < 1 || a.month > 12 ||
	    a.year < 1970)
		return 0;
	return ((days(a.year, a.month, a.day) * 24 + a.hour) * 60 + a.minute) * 60 + a.second;
}
