package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"certwright/assets/yamlfile"
)

// The units that time.ParseDuration lacks. A year is 365 days, as in kubeadm
// and cert-manager, so that it can be written in hours.
const (
	day  = 24 * time.Hour
	year = 365 * day
)

// MaxValidity is the longest life of a certificate that a plan may ask for:
// beyond it one most likely mistyped a unit.
const MaxValidity = 100 * year

// ParseDuration reads 87600h, 365d, 10y, 1y6d12h, 90m. It must be more than
// zero and at most MaxValidity.
func ParseDuration(s string) (Duration, error) {
	s = strings.TrimSpace(s)
	total, rest := time.Duration(0), s
	for _, u := range []struct {
		letter string
		size   time.Duration
	}{{"y", year}, {"d", day}} {
		number, after, found := strings.Cut(rest, u.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return 0, notDuration(s)
		}
		if time.Duration(n) > MaxValidity/u.size {
			return 0, fmt.Errorf("%s is more than 100 years", yamlfile.Quote(s))
		}
		total, rest = total+time.Duration(n)*u.size, after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, notDuration(s)
		}
		if d < 0 || d > MaxValidity {
			total, d = d, 0 // too far either way; said below
		}
		total += d
	}
	switch {
	case s == "":
		return 0, fmt.Errorf("is empty; write a time like 8760h, 365d or 1y")
	case total <= 0:
		return 0, fmt.Errorf("%s is not more than zero; write a time like 8760h, 365d or 1y", yamlfile.Quote(s))
	case total > MaxValidity:
		return 0, fmt.Errorf("%s is more than 100 years", yamlfile.Quote(s))
	}
	return Duration(total), nil
}

func notDuration(s string) error {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return fmt.Errorf("%s has no unit; write hours, days or years: 8760h, 365d, 1y", yamlfile.Quote(s))
	}
	return fmt.Errorf("%s is not a time; write one like 8760h, 365d or 1y", yamlfile.Quote(s))
}

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// String writes whole hours as hours: 87600h.
func (d Duration) String() string {
	if t := time.Duration(d); t%time.Hour != 0 {
		return t.String()
	}
	return strconv.FormatInt(int64(time.Duration(d)/time.Hour), 10) + "h"
}

// Words is the time for people: 10 years, 90 days, 36 hours.
func (d Duration) Words() string {
	t := time.Duration(d)
	count := func(n time.Duration, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case t > 0 && t%year == 0:
		return count(t/year, "year")
	case t > 0 && t%day == 0:
		return count(t/day, "day")
	case t > 0 && t%time.Hour == 0:
		return count(t/time.Hour, "hour")
	}
	return t.String()
}

// Or is the time, or the default when none was set.
func (d Duration) Or(unset Duration) time.Duration {
	if d == 0 {
		return time.Duration(unset)
	}
	return time.Duration(d)
}

// How long certificates last when the plan does not say.
const (
	DefaultCALife   = Duration(10 * year)
	DefaultLeafLife = Duration(year)
)
