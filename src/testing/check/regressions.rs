//! The regression file: schedules of failing cases, with which every run of their check begins.
//!
//! A block is a comment with the story, `check` and its name in quotes, `seed` and the seed of the case in proptest's
//! form if it came of one, and the schedule to its `end`. Blocks are only ever appended, each whole in one write, so that
//! processes that append at the same time do not mix theirs.

use {
    super::{CaseFailure, Check, CheckError, seed::CaseSeed},
    crate::{
        sync::Mutex,
        testing::{
            case::Unfit,
            schedule::{CaseSchedule, Extent, Problem, Read, ScheduleError, VERSION, Words, lines},
        },
    },
    proptest::test_runner::PersistedSeed,
    std::{
        fs::{self, OpenOptions},
        io::{self, ErrorKind, Write as _},
        iter::Peekable,
        path::{Path, PathBuf},
    },
};

const HEADER: &str = "\
# Cases in which checks failed: each run of a check begins with those of its name. Commit this file.
";

/// The words that a block begins with.
const CHECK: &str = "check";
const SEED: &str = "seed";

/// Held while a file is read, and from the look at what it keeps to the end of the write.
static ALONE: Mutex<()> = Mutex::new(());

/// A case that a regression file keeps.
pub(super) struct Regression {
    file: PathBuf,
    line: usize,
    seed: Option<PersistedSeed>,
    pub(super) schedule: CaseSchedule,
}

impl Regression {
    /// The failure with what the file knows of it.
    pub(super) fn failed(self, mut failure: CaseFailure) -> CaseFailure {
        let place = format!("{}:{}", self.file.display(), self.line);
        failure.story.replay = format!("run the check again, it begins with {place}");
        failure.seed = self.seed;
        failure.regression = Some(place);
        failure
    }

    pub(super) fn unfit(&self, unfit: Unfit) -> CheckError {
        let problem = CheckError::from(unfit).to_string();
        self.refused(problem)
    }

    fn refused(&self, problem: String) -> CheckError {
        CheckError::Regression {
            file: self.file.clone(),
            line: self.line,
            problem,
        }
    }
}

impl<W: 'static> Check<W> {
    /// What the regression file keeps of this check.
    pub(super) fn regressions(&self) -> Result<Vec<Regression>, CheckError> {
        let Some(file) = &self.regression_file else {
            return Ok(Vec::new());
        };
        let alone = ALONE.lock();
        let text = read(file).map_err(|error| CheckError::file(file, &error))?;
        drop(alone);
        let Contents { blocks, truncated } =
            parse(&text).map_err(|Refusal { line, problem }| CheckError::Regression {
                file: file.clone(),
                line,
                problem,
            })?;
        if let Some(line) = truncated {
            let file = file.display();
            eprintln!("{file}:{line}: the last regression is truncated, and left out");
        }
        let of_this = blocks.into_iter().filter(|block| block.check == self.name);
        let regression = |block: Block| {
            let regression = Regression {
                file: file.clone(),
                line: block.line,
                seed: block.seed,
                schedule: block.schedule,
            };
            let fits = regression.schedule.fits(self.extent());
            fits.map_err(|error| regression.refused(error.to_string()))?;
            Ok(regression)
        };
        of_this.map(regression).collect()
    }

    /// Appends to the regression file what it does not keep yet.
    pub(super) fn keep(&self, failures: &[CaseFailure]) {
        let Some(file) = self.regression_file.as_ref().filter(|_| !failures.is_empty()) else {
            return;
        };
        let (name, shown) = (&self.name, file.display());
        let told = failures
            .iter()
            .map(|it| (it.schedule.clone(), block(name, it)))
            .collect();
        match append(file, name, told) {
            Ok(0) => {}
            Ok(_) => eprintln!("the failure of the check {name} is kept in {shown}; commit that file"),
            Err(error) => eprintln!("the failure of the check {name} cannot be kept in {shown}: {error}"),
        }
    }

    /// How many there are of what a schedule may name.
    pub(super) fn extent(&self) -> Extent {
        Extent {
            variants: self.setup.variants(),
            queues: self.setup.queues.len(),
            consumers: self.setup.consumers.len(),
            actions: self.setup.actions.len(),
        }
    }
}

/// A file that is not there is empty.
fn read(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

// Writing.

/// A failing case, and its block.
type Told = (CaseSchedule, String);

/// Appends what is new, and answers how many that was.
fn append(file: &Path, check: &str, cases: Vec<Told>) -> io::Result<usize> {
    let _alone = ALONE.lock();
    let before = read(file)?;
    let known = parse(&before).map_or_else(|_| Vec::new(), |it| it.blocks);
    let is_new = |(schedule, _): &Told| {
        let same = |block: &Block| block.check == check && block.schedule == *schedule;
        !known.iter().any(same)
    };
    let new: Vec<_> = cases.into_iter().filter(is_new).map(|it| it.1).collect();
    if new.is_empty() {
        return Ok(0);
    }
    let header = if before.is_empty() { HEADER } else { "" };
    // However the file ends, a block begins in a line of its own.
    write(file, &format!("{header}\n{}", new.join("\n")))?;
    Ok(new.len())
}

/// In one piece, so that other processes can append as well.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(text.as_bytes())
}

fn block(check: &str, failure: &CaseFailure) -> String {
    let CaseFailure {
        story, schedule, seed, ..
    } = failure;
    // How to replay it is told where it fails again.
    let told = story.to_string();
    let told = told.lines().filter(|line| !line.starts_with("replay:"));
    let comment = told.map(|line| format!("# {}\n", line.replace(char::is_control, " ")));
    let seed = seed.iter().map(|seed| format!("{SEED} {seed}\n"));
    let (comment, seed) = (comment.collect::<String>(), seed.collect::<String>());
    format!("{comment}{CHECK} {check:?}\n{seed}{schedule}")
}

// Reading.

/// Why a file cannot be read.
#[derive(Debug)]
struct Refusal {
    line: usize,
    problem: String,
}

/// What a regression file says.
#[derive(Debug, Default)]
struct Contents {
    blocks: Vec<Block>,
    /// The line of the last block, which ends too early.
    truncated: Option<usize>,
}

#[derive(Debug)]
struct Block {
    check: String,
    /// Of its name.
    line: usize,
    seed: Option<PersistedSeed>,
    schedule: CaseSchedule,
}

/// Why a block cannot be read.
#[derive(Debug)]
enum Broken {
    /// The file ends in it, as a write that was interrupted leaves it.
    Truncated,
    Wrong {
        line: usize,
        problem: String,
    },
}

impl Broken {
    fn new(line: usize, text: &str, expected: &str) -> Self {
        let problem = format!("{text:?}: expected {expected}");
        Self::Wrong { line, problem }
    }
}

fn parse(text: &str) -> Result<Contents, Refusal> {
    let (mut lines, mut contents) = (lines(text).peekable(), Contents::default());
    while let Some((line, text)) = lines.next() {
        match block_of(line, text, &mut lines) {
            Ok(block) => contents.blocks.push(block),
            Err(Broken::Truncated) => contents.truncated = Some(line),
            Err(Broken::Wrong { line, problem }) => return Err(Refusal { line, problem }),
        }
    }
    Ok(contents)
}

/// The block that begins with this line.
fn block_of<'a>(
    line: usize,
    text: &str,
    lines: &mut Peekable<impl Iterator<Item = (usize, &'a str)>>,
) -> Result<Block, Broken> {
    let check = match name(text) {
        Ok(check) => check,
        Err(_) if lines.peek().is_none() && is_begun(text) => return Err(Broken::Truncated),
        Err(Problem { text, expected, .. }) => return Err(Broken::new(line, &text, &expected)),
    };
    let mut seed = None;
    if let Some((line, text)) = lines.next_if(|(_, text)| text.starts_with(SEED)) {
        seed = read_seed(text);
        if seed.is_none() && lines.peek().is_some() {
            return Err(Broken::new(line, text, "seed cc and 64 hexadecimal digits"));
        }
    }
    let first = lines.peek().map(|(line, _)| *line).ok_or(Broken::Truncated)?;
    match CaseSchedule::read(lines) {
        Ok(schedule) => Ok(Block {
            check,
            line,
            seed,
            schedule,
        }),
        Err(ScheduleError::Version { found }) => {
            let begun = [VERSION, SEED].iter().any(|it| it.starts_with(&found));
            if lines.peek().is_none() && begun {
                return Err(Broken::Truncated);
            }
            Err(Broken::new(first, &found, VERSION))
        }
        Err(ScheduleError::Line {
            line, text, expected, ..
        }) => Err(Broken::new(line, &text, &expected)),
        Err(_) => Err(Broken::Truncated),
    }
}

/// Whether a line is the first of a block, or the beginning of it.
fn is_begun(line: &str) -> bool {
    line.starts_with(CHECK) || CHECK.starts_with(line)
}

fn name(line: &str) -> Read<String> {
    const EXPECTED: &str = "check and the name of a check";
    let mut words = Words::new(line);
    words.word(EXPECTED, |word| (word == CHECK).then_some(()))?;
    if !words.has_more()? {
        return Err(words.expected(EXPECTED));
    }
    let name = words.text()?.into_owned();
    words.end()?;
    Ok(name)
}

fn read_seed(line: &str) -> Option<PersistedSeed> {
    let said = line.split('#').next()?.strip_prefix(SEED)?;
    let seed: PersistedSeed = said.trim().parse().ok()?;
    CaseSeed::read(&seed).map(|_| seed)
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        proptest::{collection, prelude::*, sample::Index},
        std::{env, process, sync::Barrier, thread},
    };

    /// A file that is gone when the test is over.
    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            Self(env::temp_dir().join(format!("requeue-{test}-{}.regressions", process::id())))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// A case whose message has a body of this length.
    fn case(number: usize, length: usize) -> Told {
        let body = "x".repeat(length);
        let text = format!("requeue schedule 2\nseed {number}\nmessage {body}\nend\n");
        (text.parse().unwrap(), format!("# A story.\ncheck a\n{text}"))
    }

    #[test]
    fn blocks_that_are_appended_at_the_same_time_do_not_mix() {
        let place = Place::new("mixed");
        // More than a file system writes at once.
        let texts: Vec<_> = (0..16).map(|number| case(number, 500_000).1).collect();
        let together = Barrier::new(4);
        thread::scope(|scope| {
            for texts in texts.chunks(4) {
                // As in several processes, no lock keeps one from another.
                let append = |text: &String| {
                    together.wait();
                    write(&place.0, text).unwrap();
                };
                scope.spawn(move || texts.iter().for_each(append));
            }
        });
        let Contents { blocks, truncated } = parse(&read(&place.0).unwrap()).unwrap();
        let mut numbers: Vec<_> = blocks.iter().map(|it| it.schedule.plan.seed).collect();
        numbers.sort_unstable();
        assert_eq!((numbers, truncated), ((0..16).collect(), None));
    }

    #[test]
    fn threads_keep_the_same_case_once() {
        let place = Place::new("same");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for at in 0..50 {
                        append(&place.0, "a", vec![case(at, 1)]).unwrap();
                    }
                });
            }
        });
        let text = read(&place.0).unwrap();
        assert!(text.starts_with(HEADER) && text.matches(HEADER).count() == 1);
        assert_eq!(parse(&text).unwrap().blocks.len(), 50);
        let cases = |check| append(&place.0, check, (0..51).map(|at| case(at, 1)).collect()).unwrap();
        assert_eq!((cases("a"), cases("b"), cases("a")), (1, 51, 0));
    }

    #[test]
    fn a_block_begins_in_a_line_of_its_own() {
        let place = Place::new("own");
        write(&place.0, case(0, 1).1.trim_end()).unwrap();
        assert_eq!(append(&place.0, "a", vec![case(1, 1)]).unwrap(), 1);
        assert_eq!(parse(&read(&place.0).unwrap()).unwrap().blocks.len(), 2);
    }

    const TWO: &str = r#"# Cases

# violated: m1 is lost
check "a \"b\""
seed cc 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
requeue schedule 2
message "5 EUR"
send 0
end

check c
requeue schedule 2
seed 7
run until DeleteFails 2
end
"#;

    #[test]
    fn blocks_are_told_apart() {
        let Contents { blocks, truncated } = parse(TWO).unwrap();
        let known: Vec<_> = blocks.iter().map(|it| (it.check.as_str(), it.line)).collect();
        assert_eq!((known, truncated), (vec![("a \"b\"", 4), ("c", 11)], None));
        assert!(blocks[0].seed.is_some() && blocks[1].seed.is_none());
        assert_eq!((blocks[0].schedule.steps.len(), blocks[1].schedule.plan.seed), (1, 7));
    }

    #[test]
    fn a_file_that_ends_anywhere_keeps_its_whole_blocks() {
        let first = TWO.find("\n\ncheck").unwrap();
        for cut in 0..TWO.trim_end().len() {
            let Contents { blocks, truncated } = parse(&TWO[..cut]).unwrap();
            assert_eq!(blocks.len(), usize::from(cut >= first), "{cut}");
            let begun = lines(&TWO[..cut]).filter(|it| it.1.starts_with('c')).count();
            assert_eq!(truncated.is_some(), begun > blocks.len(), "{cut}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn an_edited_file_is_read_or_one_of_its_lines_refused(
            edits in collection::vec((any::<Index>(), any::<Index>(), "[ -~\u{e9}\n]{0,8}"), 1..4),
        ) {
            let mut text: Vec<char> = TWO.chars().collect();
            for (begin, length, new) in edits {
                let begin = begin.index(text.len() + 1);
                let end = begin + length.index(8).min(text.len() - begin);
                text.splice(begin..end, new.chars());
            }
            let text: String = text.into_iter().collect();
            match parse(&text) {
                Ok(contents) => {
                    let whole = lines(&text).filter(|it| it.1.starts_with("requeue")).count();
                    let truncated = usize::from(contents.truncated.is_some());
                    prop_assert!(whole <= contents.blocks.len() + truncated, "none is left out silently");
                }
                Err(Refusal { line, .. }) => prop_assert!((1..=text.lines().count()).contains(&line)),
            }
        }
    }
}
