package xmlsplit_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/internal/xmlsplit"
)

const header = `<?xml version='1.0'?><stream:stream to='example.org' version='1.0'` +
	` xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

// unit is what a Scanner reported, with the bytes it spans.
type unit struct {
	Kind xmlsplit.Kind
	Text string
}

// result is all that a Scanner says of an input.
type result struct {
	Units []unit
	Rest  string // bytes of a unit that was begun and not ended
	At    int    // bytes before the fault
	Err   error
}

// scan feeds s with input in pieces that end at the given offsets.
func scan(s *xmlsplit.Scanner, input string, cuts ...int) result {
	var r result
	begun, from := 0, 0
	for _, to := range append(cuts, len(input)) {
		for from < to {
			n, k, err := s.Scan([]byte(input[from:to]))
			from += n
			if err != nil {
				r.At, r.Err, r.Rest = from, err, input[begun:from]
				return r
			}
			if k == xmlsplit.None {
				continue
			}
			last := len(r.Units) - 1
			if k == xmlsplit.Space && last >= 0 && r.Units[last].Kind == k {
				r.Units[last].Text += input[begun:from]
			} else {
				r.Units = append(r.Units, unit{k, input[begun:from]})
			}
			begun = from
		}
	}
	r.Rest = input[begun:]
	return r
}

func equal(t *testing.T, want, got result) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

var units = []struct {
	name    string
	relay   bool
	inside  bool // starts behind a header
	limits  xmlsplit.Limits
	want    []unit
	rest    string // what follows the units
	faultAt int    // in rest
	err     error
}{
	{name: "nothing"},
	{name: "session", want: []unit{
		{xmlsplit.Header, header},
		{xmlsplit.Element, `<auth mechanism='X-TOKEN'>AGE=</auth>`},
		{xmlsplit.Space, " \r\n\t"},
		{xmlsplit.Element, `<iq/>`},
		{xmlsplit.End, `</stream:stream>`},
		{xmlsplit.Space, "\n"},
	}},
	{name: "header without declaration", want: []unit{{xmlsplit.Header, `<stream>`}, {xmlsplit.Element, `<a/>`}}},
	{name: "newline of the stream before", want: []unit{{xmlsplit.Space, "\n"}, {xmlsplit.Header, header}}},
	{name: "space behind declaration", want: []unit{{xmlsplit.Header, "<?xml version='1.0' encoding=\"UTF-8\" ?>\r\n <s >"}}},
	{name: "self-closed root", want: []unit{{xmlsplit.Header, `<stream:stream to='a'/>`}, {xmlsplit.Space, " "}}},
	{name: "element behind self-closed root", want: []unit{{xmlsplit.Header, `<s/>`}}, rest: `<a/>`, err: xmlsplit.ErrNotWellFormed},
	{name: "end behind self-closed root", want: []unit{{xmlsplit.Header, `<s/>`}}, rest: `</s>`, err: xmlsplit.ErrNotWellFormed},
	{name: "element behind end", inside: true, want: []unit{{xmlsplit.End, `</s>`}}, rest: `<a/>`, err: xmlsplit.ErrNotWellFormed},
	{name: "end with space in it", inside: true, want: []unit{{xmlsplit.End, "</s \n>"}}},
	{name: "end before header", rest: `</s>`, faultAt: 1, err: xmlsplit.ErrNotWellFormed},

	{name: "nested", inside: true, want: []unit{{xmlsplit.Element, `<a><b><a/></b><c></c >text</a>`}, {xmlsplit.Element, `<b></b>`}}},
	{name: "begun", inside: true, want: []unit{{xmlsplit.Element, `<a/>`}}, rest: `<a><b></b>`},
	{name: "greater-than in values", inside: true, want: []unit{{xmlsplit.Element, `<a b='>' c = "/>"><d e='/a>x'/>></a>`}}},
	{name: "quotes in values", inside: true, want: []unit{{xmlsplit.Element, `<a b='"' c="'>'"/>`}, {xmlsplit.Element, `<a>'"</a>`}}},
	{name: "slash in value and name", inside: true, want: []unit{{xmlsplit.Element, `<a.b-c:d é='x/' />`}}},
	{name: "cdata", inside: true, want: []unit{{xmlsplit.Element, `<a><![CDATA[</a>]]]]><![CDATA[]>]]]><![CDATA[]]]]]><![CDATA[>&nbsp;<!-- ]]></a>`}}},
	{name: "references", inside: true, want: []unit{{xmlsplit.Element, `<a b='&amp;&lt;&gt;&quot;&apos;&#39;&#x3C;&#xaF;'>&amp;&lt;&gt;&quot;&apos;&#0065;</a>`}}},

	{name: "comment", inside: true, rest: `<!-- x -->`, faultAt: 2, err: xmlsplit.ErrRestricted},
	{name: "comment in element", inside: true, rest: `<a><!-- x --></a>`, faultAt: 5, err: xmlsplit.ErrRestricted},
	{name: "instruction", inside: true, rest: `<?x y?>`, faultAt: 1, err: xmlsplit.ErrRestricted},
	{name: "instruction in element", inside: true, rest: `<a><?x y?></a>`, faultAt: 4, err: xmlsplit.ErrRestricted},
	{name: "instruction before header", rest: `<?xml-stylesheet x?>`, faultAt: 5, err: xmlsplit.ErrRestricted},
	{name: "instruction in prolog", rest: `<?xml version='1.0'?><?x?>`, faultAt: 22, err: xmlsplit.ErrRestricted},
	{name: "declaration twice", rest: `<?xml version='1.0'?><?xml version='1.0'?>`, faultAt: 22, err: xmlsplit.ErrRestricted},
	{name: "declaration in element", inside: true, rest: `<?xml version='1.0'?>`, faultAt: 1, err: xmlsplit.ErrRestricted},
	{name: "upper-case declaration", rest: `<?XML version='1.0'?>`, faultAt: 2, err: xmlsplit.ErrRestricted},
	{name: "doctype", rest: `<!DOCTYPE x [<!ENTITY a 'b'>]>`, faultAt: 2, err: xmlsplit.ErrRestricted},
	{name: "doctype in element", inside: true, rest: `<a><!DOCTYPE x></a>`, faultAt: 5, err: xmlsplit.ErrRestricted},
	{name: "conditional section", inside: true, rest: `<a><![INCLUDE[x]]></a>`, faultAt: 6, err: xmlsplit.ErrRestricted},
	{name: "entity", inside: true, rest: `<a>&nbsp;</a>`, faultAt: 8, err: xmlsplit.ErrRestricted},
	{name: "entity in value", inside: true, rest: `<a b='&e;'/>`, faultAt: 8, err: xmlsplit.ErrRestricted},
	{name: "entity with long name", inside: true, rest: `<a>&eacute;</a>`, faultAt: 8, err: xmlsplit.ErrRestricted},
	{name: "entity in upper case", inside: true, rest: `<a>&AMP;</a>`, faultAt: 7, err: xmlsplit.ErrRestricted},

	{name: "bare ampersand", inside: true, rest: `<a>& b</a>`, faultAt: 4, err: xmlsplit.ErrNotWellFormed},
	{name: "empty entity", inside: true, rest: `<a>&;</a>`, faultAt: 4, err: xmlsplit.ErrNotWellFormed},
	{name: "unended entity", inside: true, rest: `<a>&lt b</a>`, faultAt: 6, err: xmlsplit.ErrNotWellFormed},
	{name: "empty character reference", inside: true, rest: `<a>&#;</a>`, faultAt: 5, err: xmlsplit.ErrNotWellFormed},
	{name: "empty hexadecimal reference", inside: true, rest: `<a>&#x;</a>`, faultAt: 6, err: xmlsplit.ErrNotWellFormed},
	{name: "decimal reference with letter", inside: true, rest: `<a>&#1a;</a>`, faultAt: 6, err: xmlsplit.ErrNotWellFormed},
	{name: "hexadecimal reference with letter", inside: true, rest: `<a>&#x1g;</a>`, faultAt: 7, err: xmlsplit.ErrNotWellFormed},
	{name: "text before header", rest: `x`, err: xmlsplit.ErrNotWellFormed},
	{name: "byte order mark", rest: "\ufeff<s>", err: xmlsplit.ErrNotWellFormed},
	{name: "text between elements", inside: true, want: []unit{{xmlsplit.Element, `<a/>`}, {xmlsplit.Space, ` `}}, rest: `x`, err: xmlsplit.ErrNotWellFormed},
	{name: "cdata between elements", inside: true, rest: `<![CDATA[ ]]>`, faultAt: 2, err: xmlsplit.ErrNotWellFormed},
	{name: "reference between elements", inside: true, rest: `&#32;`, err: xmlsplit.ErrNotWellFormed},
	{name: "NUL between elements", inside: true, rest: "\x00", err: xmlsplit.ErrNotWellFormed},
	{name: "NUL in text", inside: true, rest: "<a>b\x00</a>", faultAt: 4, err: xmlsplit.ErrNotWellFormed},
	{name: "control in value", inside: true, rest: "<a b='\x1f'/>", faultAt: 6, err: xmlsplit.ErrNotWellFormed},
	{name: "control in cdata", inside: true, rest: "<a><![CDATA[a\x08]]></a>", faultAt: 13, err: xmlsplit.ErrNotWellFormed},
	{name: "control in declaration", rest: "<?xml \x01?>", faultAt: 6, err: xmlsplit.ErrNotWellFormed},
	{name: "control in tag", inside: true, rest: "<a \x01/>", faultAt: 3, err: xmlsplit.ErrNotWellFormed},
	{name: "digit as name", inside: true, rest: `<1a/>`, faultAt: 1, err: xmlsplit.ErrNotWellFormed},
	{name: "space before name", inside: true, rest: `< a/>`, faultAt: 1, err: xmlsplit.ErrNotWellFormed},
	{name: "empty tag", inside: true, rest: `<>`, faultAt: 1, err: xmlsplit.ErrNotWellFormed},
	{name: "empty end tag", inside: true, rest: `<a></>`, faultAt: 5, err: xmlsplit.ErrNotWellFormed},
	{name: "tag in tag", inside: true, rest: `<a <b/>`, faultAt: 3, err: xmlsplit.ErrNotWellFormed},
	{name: "tag in name", inside: true, rest: `<a<b/>`, faultAt: 2, err: xmlsplit.ErrNotWellFormed},
	{name: "less-than in value", inside: true, rest: `<a b='<'/>`, faultAt: 6, err: xmlsplit.ErrNotWellFormed},
	{name: "slash inside tag", inside: true, rest: `<a/ >`, faultAt: 3, err: xmlsplit.ErrNotWellFormed},
	{name: "two slashes", inside: true, rest: `<a//>`, faultAt: 3, err: xmlsplit.ErrNotWellFormed},
	{name: "attribute without value", inside: true, rest: `<a b>`, faultAt: 4, err: xmlsplit.ErrNotWellFormed},
	{name: "two attribute names", inside: true, rest: `<a b c='d'>`, faultAt: 5, err: xmlsplit.ErrNotWellFormed},
	{name: "value without quotes", inside: true, rest: `<a b=c>`, faultAt: 5, err: xmlsplit.ErrNotWellFormed},
	{name: "value without name", inside: true, rest: `<a 'b'>`, faultAt: 3, err: xmlsplit.ErrNotWellFormed},
	{name: "no space between attributes", inside: true, rest: `<a b='c'd='e'>`, faultAt: 8, err: xmlsplit.ErrNotWellFormed},
	{name: "attribute of end tag", inside: true, rest: `<a></a b='c'>`, faultAt: 7, err: xmlsplit.ErrNotWellFormed},
	{name: "end tag as empty element", inside: true, rest: `<a></a/>`, faultAt: 6, err: xmlsplit.ErrNotWellFormed},

	{name: "relay: comments", relay: true, inside: true, want: []unit{
		{xmlsplit.Space, `<!-- > </a> ' -->`},
		{xmlsplit.Element, `<a><!-- </a><b> - " --><!----></a>`},
	}},
	{name: "relay: instructions", relay: true, inside: true, want: []unit{
		{xmlsplit.Space, `<?x > ?>`},
		{xmlsplit.Element, `<a><?x </a> ? ??></a>`},
	}},
	{name: "relay: aside before root", relay: true, want: []unit{{xmlsplit.Header, `<?xml version='1.0'?> <!-- <a> --><?x <b>?><s>`}}},
	{name: "relay: cdata", relay: true, inside: true, want: []unit{{xmlsplit.Element, `<a><![CDATA[</a><!--]]]></a>`}}},
	{name: "relay: left to the receiver", relay: true, inside: true, want: []unit{{xmlsplit.Element, "<a b='&e;\x01'>&e; & \x00</a>"}}},
	{name: "relay: values", relay: true, inside: true, want: []unit{{xmlsplit.Element, `<a b='>"/>' c=">'"/>`}}},
	{name: "relay: doctype", relay: true, rest: `<!DOCTYPE x>`, faultAt: 2, err: xmlsplit.ErrRestricted},
	{name: "relay: conditional section", relay: true, inside: true, rest: `<a><![INCLUDE[`, faultAt: 6, err: xmlsplit.ErrRestricted},
	{name: "relay: double hyphen in comment", relay: true, inside: true, rest: `<!-- -- -->`, faultAt: 7, err: xmlsplit.ErrNotWellFormed},
	{name: "relay: hyphen too few", relay: true, inside: true, rest: `<!-x`, faultAt: 3, err: xmlsplit.ErrNotWellFormed},
	{name: "relay: instruction without target", relay: true, inside: true, rest: `<??>`, faultAt: 2, err: xmlsplit.ErrNotWellFormed},
	{name: "relay: less-than in value", relay: true, inside: true, rest: `<a b='x<'/>`, faultAt: 7, err: xmlsplit.ErrNotWellFormed},
	{name: "relay: text between elements", relay: true, inside: true, rest: `x`, err: xmlsplit.ErrNotWellFormed},
	{name: "relay: keep-alives beyond the limit", relay: true, inside: true, limits: xmlsplit.Limits{ElementBytes: 4},
		want: []unit{{xmlsplit.Space, strings.Repeat(" ", 100)}, {xmlsplit.Element, `<a/>`}}},
	{name: "relay: comment beyond the limit", relay: true, inside: true, limits: xmlsplit.Limits{ElementBytes: 8},
		want: []unit{{xmlsplit.Space, `<!--x-->`}}, rest: `<!--xx-->`, faultAt: 8, err: xmlsplit.ErrTooLong},

	{name: "element of the limit", inside: true, limits: xmlsplit.Limits{ElementBytes: 10}, want: []unit{
		{xmlsplit.Element, `<a>bcd</a>`}, {xmlsplit.Element, `<a b='c'/>`}, {xmlsplit.Element, `<a>bcd</a>`}},
		rest: `<a>bcde</a>`, faultAt: 10, err: xmlsplit.ErrTooLong},
	{name: "header of the limit", limits: xmlsplit.Limits{ElementBytes: 24}, want: []unit{{xmlsplit.Header, `<?xml version='1.0'?><s>`}}},
	{name: "header beyond the limit", limits: xmlsplit.Limits{ElementBytes: 24}, rest: `<?xml version='1.0'?> <s>`, faultAt: 24, err: xmlsplit.ErrTooLong},
	{name: "space of the limit", inside: true, limits: xmlsplit.Limits{ElementBytes: 4},
		want: []unit{{xmlsplit.Space, `    `}, {xmlsplit.Element, `<a/>`}, {xmlsplit.Space, `    `}}, rest: ` `, err: xmlsplit.ErrTooLong},
	{name: "element of the depth", inside: true, limits: xmlsplit.Limits{Depth: 2},
		want: []unit{{xmlsplit.Element, `<a><b/><b></b></a>`}}, rest: `<a><b><c/>`, faultAt: 7, err: xmlsplit.ErrTooDeep},
	{name: "root is not counted", limits: xmlsplit.Limits{Depth: 1},
		want: []unit{{xmlsplit.Header, `<s>`}, {xmlsplit.Element, `<a></a>`}}, rest: `<a><`},
	{name: "length before depth", inside: true, limits: xmlsplit.Limits{ElementBytes: 4, Depth: 1}, rest: `<a><b>`, faultAt: 4, err: xmlsplit.ErrTooLong},
}

func TestScan(t *testing.T) {
	for _, tc := range units {
		t.Run(tc.name, func(t *testing.T) {
			input, want := "", result{Units: tc.want, Rest: tc.rest}
			for _, u := range tc.want {
				input += u.Text
			}
			if tc.err != nil {
				want.Err, want.At, want.Rest = tc.err, len(input)+tc.faultAt, tc.rest[:tc.faultAt]
			}
			input += tc.rest
			fresh := func() *xmlsplit.Scanner {
				s := &xmlsplit.Scanner{Limits: tc.limits, Relay: tc.relay}
				if tc.inside {
					s.StartInside()
				}
				return s
			}
			equal(t, want, scan(fresh(), input))
			for cut := range len(input) {
				equal(t, want, scan(fresh(), input, cut))
			}
			var every []int
			for cut := range len(input) {
				every = append(every, cut)
			}
			equal(t, want, scan(fresh(), input, every...))
		})
	}
}

func TestScanRepeatsItsError(t *testing.T) {
	var s xmlsplit.Scanner
	if _, _, err := s.Scan([]byte("<!")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"D", "<a>", " "} {
		if n, k, err := s.Scan([]byte(p)); n != 0 || k != xmlsplit.None || !errors.Is(err, xmlsplit.ErrRestricted) {
			t.Errorf("Scan(%q) = %d, %v, %v", p, n, k, err)
		}
	}
	if s.AtBoundary() {
		t.Error("at a boundary after an error")
	}
	s.Reset()
	if n, k, err := s.Scan([]byte("<a>")); n != 3 || k != xmlsplit.Header || err != nil {
		t.Errorf("after Reset: %d, %v, %v", n, k, err)
	}
}

func TestAtBoundary(t *testing.T) {
	var s xmlsplit.Scanner
	for _, step := range []struct {
		input        string
		want, closed bool
	}{
		{"", true, false}, {"\n", true, false}, {"<?xml version='1.0'?>", false, false}, {"<s>", true, false},
		{"  ", true, false}, {"<", false, false}, {"a", false, false}, {"/>", true, false}, {"</s", false, false}, {">", true, true},
	} {
		if _, _, err := s.Scan([]byte(step.input)); err != nil {
			t.Fatal(err)
		}
		if s.AtBoundary() != step.want || s.Closed() != step.closed {
			t.Errorf("behind %q: at boundary %v, closed %v", step.input, s.AtBoundary(), s.Closed())
		}
	}
}

func TestScanRandomCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		input, want := randomStream(rng)
		var cuts []int
		for cut := 0; cut < len(input); cut += 1 + rng.IntN(20) {
			cuts = append(cuts, cut)
		}
		for _, relay := range []bool{false, true} {
			got := scan(&xmlsplit.Scanner{Relay: relay}, input, cuts...)
			equal(t, result{Units: want}, got)
		}
	}
}

// Long text is looked at in words; each byte means the same at any place of a word.
func TestEachByteAtEachPlace(t *testing.T) {
	const length = 20
	fresh := func() *xmlsplit.Scanner {
		s := new(xmlsplit.Scanner)
		s.StartInside()
		return s
	}
	for b := range 256 {
		for at := range length {
			unit := "<a>" + strings.Repeat("\x7f", at) + string([]byte{byte(b)}) + strings.Repeat(" ", length-at) + "</a>"
			var every []int
			for cut := range len(unit) {
				every = append(every, cut)
			}
			equal(t, scan(fresh(), unit, every...), scan(fresh(), unit))
		}
	}
}
