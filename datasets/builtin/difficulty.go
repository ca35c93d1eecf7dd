package builtin

// difficulty holds every constant that decides how hard the task is. Changing one
// changes the corpus, its hash and the figures of README.md.
type difficulty struct {
	seed uint64

	// Items of each class and split; the out-of-scope class has twice as many.
	trainPerClass, valPerClass, testPerClass int

	contrast float64 // share of utterances that name two intents
	short    float64 // share of follow-ups
	sibling  float64 // share of contrasts with a neighbouring intent, not any

	english, chinese float64 // shares of languages; the rest is mixed

	newPhrase float64 // share of test cue phrases that train does not have
	adverb    float64 // chance that a filler word parts connector and cue
	opener    float64 // chance of a greeting
	closer    float64 // chance of a clause about something else
	typo      float64 // chance of one misspelling, English or mixed
	homophone float64 // chance of one wrong character, Chinese or mixed
}

var defaults = difficulty{
	seed:          1,
	trainPerClass: 300, valPerClass: 28, testPerClass: 50,
	contrast: 0.32, short: 0.10, sibling: 0.5,
	english: 0.46, chinese: 0.38,
	newPhrase: 0.45, adverb: 0.45, opener: 0.3, closer: 0.35,
	typo: 0.14, homophone: 0.08,
}
