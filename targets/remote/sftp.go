package remote

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"sync/atomic"

	"github.com/pkg/sftp"
)

// meter limits how many bytes an SFTP server may answer to one question.
type meter struct {
	r    io.Reader
	left atomic.Int64
}

var errTalks = errors.New("the target's file server sends without end")

func (m *meter) Read(b []byte) (int, error) {
	if m.left.Load() <= 0 {
		return 0, errTalks
	}
	n, err := m.r.Read(b)
	m.left.Add(-int64(n))
	return n, err
}

// sftpFiles is files over SFTP.
type sftpFiles struct {
	name   string
	client *sftp.Client
	meter  *meter
	link   *sshLink
}

// sftp opens the file server of a link. It returns errNoSFTP where there is none.
func (l *sshLink) sftp(ctx context.Context) (*sftpFiles, error) {
	s, err := await(ctx, l.client.NewSession, nil)
	if err != nil {
		return nil, l.broken("opening a session", err)
	}
	in, err := s.StdinPipe()
	if err != nil {
		return nil, l.broken("opening a session", err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return nil, l.broken("opening a session", err)
	}
	s.Stderr = &Tail{}
	m := &meter{r: out}
	m.left.Store(maxListing)
	c, err := await(ctx, func() (*sftp.Client, error) {
		if err := s.RequestSubsystem("sftp"); err != nil {
			return nil, errNoSFTP
		}
		return sftp.NewClientPipe(m, in, sftp.UseConcurrentWrites(true))
	}, func(c *sftp.Client) { c.Close() })
	if err != nil {
		s.Close()
		if errors.Is(err, errNoSFTP) && l.lost() == nil {
			return nil, err
		}
		return nil, l.broken("starting the file server", err)
	}
	return &sftpFiles{name: l.name, client: c, meter: m, link: l}, nil
}

var errNoSFTP = errors.New("the target has no SFTP server")

// ask resets the meter and explains errors.
func ask[T any](ctx context.Context, f *sftpFiles, what string, call func() (T, error)) (T, error) {
	f.meter.left.Store(maxListing)
	v, err := await(ctx, call, nil)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return v, err
	case errors.Is(err, fs.ErrPermission):
		return v, targetFault("set cache_dir to a folder that the user may write to", "%s on %s: permission denied", what, f.name)
	case f.meter.left.Load() <= 0:
		return v, targetFault("its file server cannot be trusted", "%s on %s: %w", what, f.name, errTalks)
	}
	if status := (*sftp.StatusError)(nil); errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure {
		return v, targetFault("", "%s on %s: %w", what, f.name, errSilent)
	}
	return v, f.link.broken(what, err)
}

// errSilent is status 4 of SFTP, which stands for whatever has no status of its own.
var errSilent = errors.New("its file server says no more than that it failed")

// fullBelow is how little free space counts as none: file systems keep some blocks.
const fullBelow = 1 << 20

// why adds to an error without a reason what the disk tells: it is mostly full.
func (f *sftpFiles) why(ctx context.Context, dir string, err error) error {
	if !errors.Is(err, errSilent) {
		return err
	}
	free, e := f.Free(ctx, dir)
	switch {
	case e != nil:
		return err
	case free < fullBelow:
		return targetFault("make room, or set cache_dir to a folder on another disk", "%w: the disk is full, %s are free", err, describe(free))
	}
	return targetFault("look at the user's quota, at free inodes (df -i) and at dmesg", "%w, and its disk has %s free", err, describe(free))
}

func (f *sftpFiles) List(ctx context.Context, dir string) ([]entry, error) {
	infos, err := ask(ctx, f, "listing "+dir, func() ([]os.FileInfo, error) { return f.client.ReadDirContext(ctx, dir) })
	if err != nil {
		return nil, err
	}
	if len(infos) > maxEntries {
		return nil, targetFault("remove what is not the harness's", "%s on %s has more than %d entries", dir, f.name, maxEntries)
	}
	var all []entry
	for _, i := range infos {
		if err := checkName(i.Name()); err != nil {
			return nil, err
		}
		if i.Size() < 0 {
			return nil, targetFault("", "%s on %s: file %s has %d bytes", dir, f.name, short(i.Name()), i.Size())
		}
		all = append(all, entry{i.Name(), i.Size(), i.IsDir(), i.ModTime()})
	}
	return all, nil
}

func (f *sftpFiles) Write(ctx context.Context, file string, offset int64, r io.Reader) error {
	dir := path.Dir(file)
	return f.why(ctx, dir, f.write(ctx, dir, file, offset, r))
}

func (f *sftpFiles) write(ctx context.Context, dir, file string, offset int64, r io.Reader) error {
	if _, err := ask(ctx, f, "making "+dir, func() (struct{}, error) { return struct{}{}, f.client.MkdirAll(dir) }); err != nil {
		return err
	}
	to, err := ask(ctx, f, "writing "+file, func() (*sftp.File, error) { return f.client.OpenFile(file, os.O_WRONLY|os.O_CREATE) })
	if err != nil {
		return absent(err, file)
	}
	_, err = ask(ctx, f, "writing "+file, func() (struct{}, error) {
		_, err := to.Seek(offset, io.SeekStart)
		if err == nil {
			// A status a packet comes back: their sum is no flood.
			_, err = to.ReadFrom(refill{r, f.meter})
		}
		return struct{}{}, errors.Join(err, to.Close())
	})
	return absent(err, file)
}

// refill gives the meter as much as is sent, so that a long upload's answers
// never empty it. Its length is unknown, so sftp keeps many requests under way.
type refill struct {
	r io.Reader
	m *meter
}

func (r refill) Read(b []byte) (int, error) {
	r.m.left.Store(maxListing)
	return r.r.Read(b)
}

// Size makes the sftp library write concurrently: less than 0 is unknown.
func (r refill) Size() int64 { return -1 }

func (f *sftpFiles) Move(ctx context.Context, from, to string, mode fs.FileMode) error {
	_, err := ask(ctx, f, "placing "+to, func() (struct{}, error) {
		if mode != 0 {
			if err := f.client.Chmod(from, mode); err != nil {
				return struct{}{}, err
			}
		}
		if _, ok := f.client.HasExtension("posix-rename@openssh.com"); ok {
			return struct{}{}, f.client.PosixRename(from, to)
		}
		return struct{}{}, f.client.Rename(from, to)
	})
	return absent(err, from)
}

func (f *sftpFiles) Remove(ctx context.Context, file string) error {
	_, err := ask(ctx, f, "removing "+file, func() (struct{}, error) { return struct{}{}, f.client.RemoveAll(file) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var errNoStatVFS = errors.New("the file server does not tell the free space")

func (f *sftpFiles) Free(ctx context.Context, dir string) (int64, error) {
	if _, ok := f.client.HasExtension("statvfs@openssh.com"); !ok {
		return 0, errNoStatVFS
	}
	v, err := ask(ctx, f, "asking for space in "+dir, func() (*sftp.StatVFS, error) { return f.client.StatVFS(dir) })
	if err != nil {
		return 0, absent(err, dir)
	}
	block := v.Frsize
	if block == 0 {
		block = v.Bsize
	}
	if block == 0 || v.Bavail > math.MaxInt64/block {
		return math.MaxInt64, nil
	}
	return int64(v.Bavail * block), nil
}
