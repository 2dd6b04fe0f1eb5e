//! Time of searches of several shards: by their graphs, one after the other and at once; and by all codes, on one
//! thread and on two.
//!
//! Usage: `measure_together SIMPRINTS.tsv SHARD...`, where the file has a 256-bit code in hexadecimal at the start of
//! each line, and the shards are files of codes of 256 bits. The queries are variants of the codes in the file: each
//! bit is flipped with probability 0.02, 0.05 or 0.1.

mod variants;

use std::fs::File;
use std::time::Instant;

use iscc_hnsw::search::{Candidate, FlatSearch, GraphSearch, Part, start_together, widen_together};
use iscc_hnsw::shard::Shard;
use iscc_metrics::{Metric, Query};
use memmap2::Mmap;
use test_random::Random;
use variants::{flip, read};

const QUERIES: usize = 2000;
const EFFORTS: [usize; 4] = [16, 32, 64, 128];

type Search = fn(&Query, &mut [Part<'_, Mmap>]);

fn open(path: &str) -> Shard<Mmap> {
    let file = File::open(path).expect("a readable file");
    // SAFETY: nobody writes to the file of a shard.
    let map = unsafe { Mmap::map(&file) }.expect("a file to map");
    Shard::open(map).expect("a shard")
}

fn one_by_one(query: &Query, parts: &mut [Part<'_, Mmap>]) {
    for part in parts {
        part.search.start(part.shard, query, part.effort, part.found);
    }
}

fn one_by_one_wider(query: &Query, parts: &mut [Part<'_, Mmap>]) {
    for part in parts {
        part.search.widen(part.shard, query, part.effort, part.found);
    }
}

/// Microseconds of each query's first search, and of making it twice as wide; and what all found.
fn run(shards: &[Shard<Mmap>], queries: &[Query], effort: usize, start: Search, widen: Search) -> ([Vec<f64>; 2], u64) {
    let mut buffers: Vec<(GraphSearch, Vec<Candidate>)> = shards.iter().map(|_| Default::default()).collect();
    let (mut first, mut second, mut sum) = (Vec::new(), Vec::new(), 0);
    for query in queries {
        for (search, effort, times) in [(start, effort, &mut first), (widen, 2 * effort, &mut second)] {
            let part = |(shard, (search, found))| Part {
                search,
                shard,
                effort,
                found,
            };
            let pairs = shards
                .iter()
                .zip(buffers.iter_mut().map(|(search, found)| (search, found)));
            let mut parts: Vec<Part<'_, Mmap>> = pairs.map(part).collect();
            let began = Instant::now();
            search(query, &mut parts);
            times.push(began.elapsed().as_secs_f64() * 1e6);
            sum += parts
                .iter()
                .flat_map(|part| &*part.found)
                .map(|found| u64::from(found.key))
                .sum::<u64>();
        }
    }
    ([first, second], sum)
}

/// Microseconds of comparing all codes of the shards with each query, on `threads` threads.
fn flat_times(shards: &[Shard<Mmap>], queries: &[Query], threads: usize) -> Vec<f64> {
    let search = |query: &Query, shards: &[Shard<Mmap>]| {
        for shard in shards {
            let (mut search, mut found) = (FlatSearch::default(), Vec::new());
            search.start(u32::MAX);
            search.next(shard, query, 32, u32::MAX, &mut found);
            assert!(!found.is_empty(), "the nearest");
        }
    };
    let time = |query: &Query| {
        let began = Instant::now();
        std::thread::scope(|scope| {
            let mut parts = shards.chunks(shards.len().div_ceil(threads));
            let own = parts.next().unwrap_or_default();
            parts.for_each(|part| drop(scope.spawn(move || search(query, part))));
            search(query, own);
        });
        began.elapsed().as_secs_f64() * 1e6
    };
    queries.iter().map(time).collect()
}

fn quantiles(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    format!("{:6.1} {:6.1} {:6.1}", at(0.5), at(0.95), at(0.99))
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [simprints, shards @ ..] = &args[..] else {
        panic!("usage: measure_together SIMPRINTS.tsv SHARD...");
    };
    let mut random = Random(11);
    let simprints = read(simprints);
    let queries: Vec<Query> = (0..QUERIES)
        .map(|_| {
            let at = random.below(simprints.len());
            flip(&simprints[at], &mut random)
        })
        .map(|code| Query::new(Metric::Nphd, &code))
        .collect();
    let shards: Vec<Shard<Mmap>> = shards.iter().map(|path| open(path)).collect();
    println!("us, median 95 % 99 %: effort, then twice of it");
    for effort in EFFORTS {
        let ([first, second], sum) = run(&shards, &queries, effort, one_by_one, one_by_one_wider);
        println!("{effort:4} one by one {} | {}", quantiles(first), quantiles(second));
        let ([first, second], same) = run(&shards, &queries, effort, start_together, widen_together);
        println!("{effort:4} together   {} | {}", quantiles(first), quantiles(second));
        assert!(sum == same, "the same must be found");
    }
    for threads in [1, 2] {
        println!(
            "all codes, {threads} threads {}",
            quantiles(flat_times(&shards, &queries[..200], threads))
        );
    }
}
