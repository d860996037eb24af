"""One small export of every form, as the databases write them (layout only; works invented)."""

from __future__ import annotations

RIS = (
    "TY  - JOUR\r\nTI  - Release trains for\r\n      learned models\r\nAU  - Müller, A.\r\nAU  - Yılmaz, B.\r\n"
    "PY  - 2021\r\nT2  - Journal of Trains\r\nVL  - 7\r\nIS  - 2\r\nSP  - 11\r\nEP  - 19\r\nDO  - 10.1234/ABC.5\r\n"
    "SN  - 12345678\r\nKW  - models\r\nKW  - release\r\nLA  - eng\r\nUR  - https://example.org/a\r\nER  - \r\n\n\r"
    "TY  - CONF\rTI  - Second &amp; last <i>study</i>\rAU  - C. Kim\rY1  - 24-27 Sept. 2019\rER  - \r"
)
NBIB = (
    "PMID- 12345678\nOWN - NLM\nTI  - Monitoring of models in hospitals: a title that\n      goes on.\n"
    "FAU - Nowak, Anna\nAU  - Nowak A\nFAU - Li, Wei\nAU  - Li W\nDP  - 2020 Mar 4\nJT  - Journal of wards\n"
    "VI  - 3\nIP  - 1\nPG  - 5-9\nIS  - 1234-5679 (Electronic)\nAID - S1234 [pii]\nAID - 10.1000/wards.1 [doi]\n"
    "LA  - eng\nPT  - Journal Article\nOT  - monitoring\n\nPMID- 23456789\nTI  - Second.\nAU  - Kim C\nDP  - 2019\n"
)
WOS_TEXT = (
    "\ufeffFN Clarivate Analytics Web of Science\nVR 1.0\nPT J\nAU Toh, ML\n   Ek, S\nAF Toh, Ming Liang\n   Ek, Sara\n"
    "TI Mapping drift in real\n   estate\nSO SURVEY REVIEW\nLA English\nDT Article; Early Access\nDE drift; estate\n"
    "AB A text.\nAI is in it.\nSN 0039-6265\nEI 1752-2706\nPY 2022\nVL 4\nIS 1\nBP 3\nEP 8\nDI 10.1080/a\n"
    "UT WOS:000111\nER\n\nPT C\nAU Poe, E\nTI Ravens\nSO PROC\nPY 2001\nER\n\nEF"
)
WOS_TAB = (
    "PT\tAU\tBA\tTI\tSO\tLA\tDT\tSN\tBP\tEP\tDI\tPY\tUT\t\n"
    'J\tToh, ML; Ek, S\t\tA "quoted" word, and 5" screens\tSURVEY REVIEW\tEnglish\tArticle\t0039-6265\t3\t8\t'
    "10.1080/a\t2022\tWOS:1\t\n"
    "S\tPoe, E\t\tRavens\tPROC\tEnglish\tProceedings Paper\t\t1\t2\t\t2001\tWOS:2\t\n"
)
WOS_SHEET = (
    '"Publication Type","Authors","Author Full Names","Article Title","Source Title","DOI","Publication Year",'
    '"UT (Unique WOS ID)"\nJ,"Toh, ML","Toh, Ming",Mapping drift,SURVEY REVIEW,10.1080/a,2022,WOS:1\n'
)
SCOPUS = (
    '"Authors","Author full names","Author(s) ID","Title","Year","Source title","Volume","Issue","Art. No.",'
    '"Page start","Page end","DOI","Link","Abstract","Author Keywords","ISSN","Document Type","Source","EID"\n'
    '"Liu F.; Li C.","Liu, Fengyuan (604); Li, Chun (588)","604; 588","Drift, ""seen"" early",2026,"Digital Ward",'
    '"12","","A7","","","10.1177/2","https://www.scopus.com/x?eid=2-s2.0-1","Two\nlines","drift; wards","20552076",'
    '"Article","Scopus","2-s2.0-1"\n'
)
SCOPUS_OLD = (
    "\ufeffAuthors,Author(s) ID,Title,Year,Source title,Volume,Page start,Page end,DOI,Funding Text 1,Document Type,"
    'Source,EID\n"Phillips J.C., Braun R.","1;2;","Scalable nets",2005,"J. Nets","26","17","21","10.1002/j.2",,'
    '"Conference Paper","Scopus","2-s2.0-27"\n"Kalé L.","3;","Funded nets",2006,"J. Nets","27","1","9","10.1002/j.3",'
    '"one","two","Article","Scopus","2-s2.0-28"\n'
)
IEEE = (
    '"https://ieeexplore.ieee.org/search/searchresult.jsp?newsearch=true"\n'
    '"Document Title",Authors,"Publication Title","Publication Year","Volume","Issue","Start Page","End Page",'
    '"Abstract","ISSN",ISBNs,"DOI",PDF Link,"Author Keywords",Document Identifier\n'
    '"On ""new"" <i>chips</i>","P. Kogge; J. -P. Nominé","Micro","2013","15","6","16","26","Text","1558-366X","",'
    '"10.1109/M.2013.95","https://ieeexplore.ieee.org/stamp/stamp.jsp?arnumber=6634083","a;b","IEEE Magazines"\n'
)
IEEE_SOCIETY = (
    '"Title","Authors","Affiliations","Abstract","Publication","Category","DOI"\n'
    '"Rural work","Joseph Rottman, Erran Poe","U1, U2","Solvers&#x0027; level","Computer","Magazine",'
    '"10.1109/MC.2011.3"\n'
)
ACM_CSV = (
    '"type","id","author","editor","title","pages","keywords","doi","journal","volume","issue_no","year","issn",'
    '"booktitle","isbn","publisher"\n"inproceedings","3292500","Ann Poe and Bo Ek","","Serving models","1--9",'
    '"serving, models","10.1145/3292500.1","","","","2019","","KDD 19","9781450362016","ACM"\n'
)
SPRINGER = (
    "Item Title,Publication Title,Book Series Title,Journal Volume,Journal Issue,Item DOI,Authors,Publication Year,URL,"
    'Content Type\n"Graphs","Soft Computing","LNCS","","","10.1007/978-3-030-92127-9_33","Araz R. AlievProf. Dr. Ian '
    'McDonald","2022","http://link.springer.com/chapter/1","Chapter"\n'
)
PUBMED_CSV = (
    "PMID,Title,Authors,Citation,First Author,Journal/Book,Publication Year,Create Date,PMCID,NIHMS ID,DOI\n"
    '"11223344","Ward title","Smith A, Walter B.","Nature. 2021 Dec 21;1(2):10-11. doi: 10.1111/n1.","Smith A",'
    '"Nature","2021","2021/12/21","PMC1","","10.1111/n1"\n'
)
ZOTERO = (
    '"Key","Item Type","Publication Year","Author","Title","Publication Title","ISSN","DOI","Pages"\n'
    '"AB12","journalArticle","2018","Doe, Jane; Roe, Rik","Plain table","J. Tables","1234-5678","10.1234/t","1–9"\n'
)
ENW = (
    "%0 Conference Paper\n%1 3292500.1\n%A Ann Poe\n%A Bo Ek\n%T Serving models\n%B Proceedings of KDD\n%D 2019\n"
    "%P 123–129\n%@ 9781450362016\n%R 10.1145/3292500.3330744\n%U https://doi.org/10.1145/3292500.3330744\n"
    "%I Association for Computing Machinery\n%X A text that\n\nruns on.\n%K drift, serving\n\n"
    "%0 Journal Article\n%T Second\n%A Poe, Ann\n%J J. Tables\n%D 2020\n%V 3\n%N 1\n"
)
BIBTEX = r"""% a comment
@string{jss = "Journal of " # {Systems}}
@inproceedings{10.1145/3292500.3330744,
  author = {G{\"u}nther, J{\'o}zef and {World Health Organization and Partners} and others},
  title = {{MLOps} \& Drift: 95% of $O(n^2)$ Cases},
  year = 2019, isbn = {9781450362016}, pages = {123--129},
  publisher = {Association for Computing Machinery}, doi = {10.1145/3292500.3330744},
  booktitle = "Proceedings of {KDD}", keywords = {drift, serving}
}
@article{same, author = "Ek, Bo", title = {First}, journal = jss, year = {2001}, month = mar}
@article(same, author = {Ek, Bo}, title = {Second}, journal = {J}, year = {2002})
"""

SAMPLES = {
    "ris": RIS,
    "nbib": NBIB,
    "web_of_science": WOS_TEXT,
    "web_of_science_tab": WOS_TAB,
    "web_of_science_sheet": WOS_SHEET,
    "scopus": SCOPUS,
    "ieee": IEEE,
    "acm_csv": ACM_CSV,
    "springer": SPRINGER,
    "pubmed_csv": PUBMED_CSV,
    "csv": ZOTERO,
    "bibtex": BIBTEX,
    "enw": ENW,
}
"""Source → an export of it."""
RECORDS_IN = {"ris": 2, "nbib": 2, "web_of_science": 2, "web_of_science_tab": 2, "bibtex": 3, "enw": 2}
"""Source → its records, where there are more than one."""
