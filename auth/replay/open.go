package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// open reads the file, if there is one, and puts a new one in its place that says what is known and that it is open. So
// whatever a process that was killed has left is read once, and nothing is ever appended to it.
func (f *File) open(o FileOptions) error {
	if err := checkName(o.BootID); err != nil {
		return err
	}
	existed, err := f.look()
	if err != nil {
		return err
	}
	before, err := openLocked(f.path, o.LockTimeout)
	if err != nil {
		return err
	}
	defer before.Close() // and not sooner: its lock keeps others away until the new one, locked too, is in its place
	start := o.Now().Unix() / StepSeconds
	last, damage := f.ledger.load(before)
	switch {
	case errors.Is(damage, errForeign):
		return fmt.Errorf("replay: cannot use %s: %w", f.path, damage)
	case damage != nil:
		f.forgetLoaded(o.Max)
		f.lose(start)
	case last.empty && existed:
		f.lost = "the file was there but empty"
		f.lose(start)
	case !last.empty && !last.clean && (o.BootID == "" || last.boot != o.BootID):
		f.lost = "the file was not closed before the machine went down"
		f.lose(start)
	}
	f.ledger.opened = start
	if err := f.replace(before, damage, o.Now()); err != nil {
		return err
	}
	f.warnOfFuture(start)
	return nil
}

// look tells whether there is a file. If the path is a symbolic link, f.path becomes what it leads to, since a new file
// takes the place of the one that f.path names.
func (f *File) look() (existed bool, err error) {
	info, err := os.Lstat(f.path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		link := f.path
		if f.path, err = filepath.EvalSymlinks(link); err == nil {
			info, err = os.Lstat(f.path)
		}
		if err != nil {
			return false, fmt.Errorf("replay: %s is a link that leads nowhere; name the file itself: %w", link, err)
		}
	}
	if err == nil && !info.Mode().IsRegular() {
		return false, fmt.Errorf("replay: %s is not a regular file; name another path", f.path)
	}
	return err == nil, nil
}

// forgetLoaded lets go of all but what tells which tokens may have been used.
func (f *File) forgetLoaded(most int) {
	read := f.ledger // as far as it was sound
	f.ledger = newLedger(most)
	f.ledger.lost, f.ledger.hasLost = read.lost, read.hasLost
	f.ledger.opened, f.ledger.reach = read.highest(), read.reach
}

// lose refuses the tokens that may have been used without a record. After a power failure the clock may be slow, so the
// highest step known counts if it is ahead. The mark stays in the file and never sinks: another restart soon after must
// not forget it.
func (f *File) lose(start int64) {
	mark := max(start, f.ledger.highest())
	if !f.ledger.hasLost || mark > f.ledger.lost {
		f.ledger.lost, f.ledger.hasLost = mark, true
	}
}

// replace puts a new file in the place of the one before, which is kept if it is damaged.
func (f *File) replace(before *os.File, damage error, now time.Time) error {
	info, err := before.Stat()
	if err != nil {
		return fmt.Errorf("replay: cannot use %s: %w", f.path, err)
	}
	next, grown, err := f.createNext()
	if err != nil {
		return fmt.Errorf("replay: cannot write %s, look for a full disk: %w", f.path+newSuffix, err)
	}
	if damage != nil {
		if !errors.Is(damage, errFormer) {
			damage = fmt.Errorf("%w: %w", errDamaged, damage)
		}
		aside, err := f.setAside(info, now)
		if err != nil {
			f.discard(next)
			return fmt.Errorf("replay: %s: %w; it could not be set aside: %w", f.path, damage, err)
		}
		f.lost = fmt.Sprintf("%v; it is kept as %s", damage, aside)
	}
	if err := f.install(next, info); err != nil {
		return fmt.Errorf("replay: cannot use %s: %w", f.path, err)
	}
	// Without this a power failure could bring back the file before, or none, and take away the uses recorded from now on.
	if err := syncDirectory(f.path); err != nil {
		_ = next.file.Close()
		return fmt.Errorf("replay: %s: %w", f.path, err)
	}
	f.begin(next)
	f.settle(nil, grown, nil)
	return nil
}

// setAside gives the damaged file a second name, so that there is a file at its path at any moment: were there none, a
// process killed then would leave what the next one takes for a new store.
func (f *File) setAside(damaged os.FileInfo, now time.Time) (aside string, err error) {
	stem := f.path + "." + now.UTC().Format("20060102T150405Z")
	aside = stem + ".damaged"
	for n := 2; ; n++ {
		err := os.Link(f.path, aside)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		aside = fmt.Sprintf("%s.%d.damaged", stem, n)
	}
	if linked, err := os.Stat(aside); err != nil || !os.SameFile(linked, damaged) {
		return "", errors.Join(errors.New("another process replaced it; try again"), err, os.Remove(aside))
	}
	return aside, nil
}

// warnOfFuture adds to what is said of lost uses if the mark of a wrong clock locks everybody out.
func (f *File) warnOfFuture(start int64) {
	l := f.ledger
	if !l.hasLost || l.lost <= start+stepsPerDay {
		return
	}
	if f.lost == "" {
		f.lost = "uses were lost at an earlier start"
	}
	f.lost += fmt.Sprintf("; tokens of steps before %s are refused, more than a day from now by this clock: it is wrong now or was ahead before; "+
		"once it is right, stop xtokend, move %s away and start xtokend", stepTime(l.lost+l.reach+1).Format(time.RFC3339), f.path)
}
