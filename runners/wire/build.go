package wire

import "context"

// OtherBuild is inside the error of a runner that is of another build than the
// program that greeted it.
type OtherBuild struct{ Theirs Hello }

func (o *OtherBuild) Error() string { return "the runner is of version " + o.Theirs.build() }

type identity struct{}

// As has [Dial] greet as the build that h is of, so that one program drives the
// runners of several builds, as a comparison of two commits does. The records of
// the wire are those of the protocol's version: a runner that has other ones
// refuses the request and names the key. A runner of another protocol is refused as
// ever.
func As(ctx context.Context, h Hello) context.Context { return context.WithValue(ctx, identity{}, h) }

// helloOf is mine with the build that ctx asks for.
func helloOf(ctx context.Context, mine Hello) Hello {
	if h, ok := ctx.Value(identity{}).(Hello); ok {
		mine.Version, mine.Commit = h.Version, h.Commit
	}
	return mine
}
