// How the site's search ranks pages: as Sphinx does, but a page whose title begins with what was asked for comes first.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([, title, , , score]) => {
    const asked = new URLSearchParams(location.search).get("q") ?? "";
    return title.toLowerCase().startsWith(asked.trim().toLowerCase()) ? score + 15 : score;
  },
};
