// The order of search results. Sphinx gives a page the score of the best word in it, so
// that pages which answer a question come no earlier than others with the same word.
// Here, what counts is how many words of the query a title has, and the kind of page:
// the guide answers, the API lists, and the changelog and the design only mention.
var Scorer = {
  score: ([docName, title, , , score, , kind]) => {
    const query = new URLSearchParams(window.location.search).get("q") ?? "";
    // Plurals and tenses of a word begin alike.
    const stems = (text) =>
      (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map((word) =>
        word.length > 4 ? word.slice(0, Math.max(4, word.length - 2)) : word,
      );
    const wanted = stems(query);
    const inTitle = stems(title);
    const found = wanted.filter((word) => inTitle.some((other) => other.startsWith(word)));
    const share = wanted.length ? found.length / wanted.length : 0;
    const place = [
      [/^(user_guide|install|long_searches)/, 12],
      [/^coming_from/, 6],
      [/^gallery/, 4],
      [/^benchmarks/, 2],
      [/^(changelog|design|sg_execution_times)/, -20],
    ].find(([pattern]) => pattern.test(docName));
    return score + Math.round(30 * share) + (place ? place[1] : 0) - (kind === "index" ? 20 : 0);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
