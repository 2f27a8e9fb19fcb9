//! BERT's encoder as all-MiniLM-L6-v2 has it: 6 layers of width 384 with 12 heads, and the mean over a text's positions.
//!
//! After "Attention Is All You Need" (arXiv:1706.03762) and "BERT" (arXiv:1810.04805). Everything is reckoned in `f64`,
//! twice as slow as `f32`: processors add in different orders, and what is left of that after rounding to the table's 8
//! bits must be nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use knowledge_base::embed::{PieceId, Vector, Vocabulary};
use nalgebra::{DMatrix, DVector};
use safetensors::{Dtype, SafeTensors};

use crate::wheel::Package;

/// Numbers in the state of a position.
pub const WIDTH: usize = 384;
const LAYERS: usize = 6;
const HEADS: usize = 12;
const HEAD_WIDTH: usize = WIDTH / HEADS;
/// Added to a variance before it divides: the model's `layer_norm_eps`.
const VARIANCE_MIN: f64 = 1e-12;
/// Most positions of a text: the model was tuned with 256, marks included; what comes later is cut off.
const POSITIONS_MAX: usize = 256;
/// Positions that go through the layers together: enough for the matrix products to be fast, below 20 MiB a thread.
const BATCH_POSITIONS: usize = 768;

/// The model, ready for use.
pub struct Bert {
    vocabulary: Vocabulary<'static>,
    marks: Marks,
    words: DMatrix<f64>,
    positions: DMatrix<f64>,
    norm: Norm,
    layers: Vec<Layer>,
}

/// Pieces that are no text.
#[derive(Clone, Copy)]
struct Marks {
    begin: PieceId,
    end: PieceId,
    unknown: PieceId,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    wide: Linear,
    narrow: Linear,
    norm: Norm,
}

struct Linear {
    weight: DMatrix<f64>,
    bias: DVector<f64>,
}

struct Norm {
    weight: DVector<f64>,
    bias: DVector<f64>,
}

impl Bert {
    /// The model of `package`.
    pub fn load(package: &Package) -> Result<Self> {
        let tensors = Tensors(SafeTensors::deserialize(&package.weights).context("the weights are damaged")?);
        let pieces: Vec<&'static str> = package.vocabulary.clone().leak().lines().collect();
        let mark = |name: &str| -> Result<PieceId> {
            let at = pieces.iter().position(|piece| *piece == name);
            Ok(PieceId::try_from(at.with_context(|| format!("the vocabulary has no {name}"))?)?)
        };
        // All texts here are first sentences: the token type is always 0.
        let token_type = tensors.matrix("embeddings.token_type_embeddings.weight", &[2, WIDTH])?;
        let mut positions =
            tensors.matrix("embeddings.position_embeddings.weight", &[512, WIDTH])?.transpose();
        for mut position in positions.column_iter_mut() {
            position += token_type.row(0).transpose();
        }
        Ok(Self {
            marks: Marks { begin: mark("[CLS]")?, end: mark("[SEP]")?, unknown: mark("[UNK]")? },
            words: tensors.matrix("embeddings.word_embeddings.weight", &[pieces.len(), WIDTH])?.transpose(),
            positions,
            norm: tensors.norm("embeddings.LayerNorm")?,
            layers: (0..LAYERS).map(|index| tensors.layer(index)).collect::<Result<_>>()?,
            vocabulary: Vocabulary::new(pieces.into_iter()),
        })
    }

    /// The vectors of texts, as the model's publishers make them.
    pub fn embed(&self, texts: &[&str]) -> Vec<Vector> {
        let piece = |piece: Option<PieceId>| piece.unwrap_or(self.marks.unknown);
        let pieces = |text: &&str| self.vocabulary.pieces(text).into_iter().map(piece).collect();
        let states = self.encode(&texts.iter().map(pieces).collect::<Vec<_>>());
        let vector =
            |state: &DVector<f64>| Vector::new(state.iter().map(|number| narrowed(*number)).collect());
        states.iter().map(|state| vector(state).expect("the last norm leaves no state at zero")).collect()
    }

    /// The mean states of texts that are given as pieces, without the marks around them.
    pub fn encode(&self, texts: &[Vec<PieceId>]) -> Vec<DVector<f64>> {
        let batches = batches(texts);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push((batch.start, self.encode_batch(&texts[batch.clone()])));
            }
            done
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let mut done: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("no batch panics")).collect()
        });
        done.sort_by_key(|(start, _)| *start);
        done.into_iter().flat_map(|(_, states)| states).collect()
    }

    fn encode_batch(&self, texts: &[Vec<PieceId>]) -> Vec<DVector<f64>> {
        let lengths: Vec<usize> = texts.iter().map(|text| positions(text)).collect();
        let mut state = DMatrix::zeros(WIDTH, lengths.iter().sum());
        let marked = texts.iter().zip(&lengths).flat_map(|(text, length)| {
            let inside = text.iter().copied().take(length - 2);
            [self.marks.begin].into_iter().chain(inside).chain([self.marks.end]).zip(0..)
        });
        for (mut column, (piece, position)) in state.column_iter_mut().zip(marked) {
            column += self.words.column(piece as usize) + self.positions.column(position);
        }
        self.norm.apply(&mut state);
        for layer in &self.layers {
            state = layer.apply(state, &lengths);
        }
        let mut start = 0;
        let mean = |length: &usize| {
            start += length;
            state.columns(start - length, *length).column_mean()
        };
        lengths.iter().map(mean).collect()
    }
}

/// Positions of a text with its marks.
fn positions(text: &[PieceId]) -> usize {
    (text.len() + 2).min(POSITIONS_MAX)
}

/// Neighbouring texts of together about [`BATCH_POSITIONS`].
fn batches(texts: &[Vec<PieceId>]) -> Vec<std::ops::Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut together) = (0, 0);
    for (index, text) in texts.iter().enumerate() {
        together += positions(text);
        if together >= BATCH_POSITIONS || index + 1 == texts.len() {
            batches.push(start..index + 1);
            (start, together) = (index + 1, 0);
        }
    }
    batches
}

impl Layer {
    fn apply(&self, state: DMatrix<f64>, lengths: &[usize]) -> DMatrix<f64> {
        let mut attended = self.attended.apply(&self.attend(&state, lengths)) + state;
        self.attended_norm.apply(&mut attended);
        let mut wide = self.wide.apply(&attended);
        wide.apply(|number| *number = gelu(*number));
        let mut state = self.narrow.apply(&wide) + attended;
        self.norm.apply(&mut state);
        state
    }

    /// What each position takes from the others of its text, head by head.
    fn attend(&self, state: &DMatrix<f64>, lengths: &[usize]) -> DMatrix<f64> {
        let [query, key, value] = [&self.query, &self.key, &self.value].map(|linear| linear.apply(state));
        let mut taken = DMatrix::zeros(WIDTH, state.ncols());
        let mut start = 0;
        for length in lengths {
            for head in 0..HEADS {
                let (corner, size) = ((head * HEAD_WIDTH, start), (HEAD_WIDTH, *length));
                // A column for each position that asks.
                let mut shares = key.view(corner, size).tr_mul(&query.view(corner, size));
                shares /= (HEAD_WIDTH as f64).sqrt();
                for mut column in shares.column_iter_mut() {
                    let largest = column.max();
                    column.apply(|number| *number = (*number - largest).exp());
                    column /= column.sum();
                }
                taken.view_mut(corner, size).copy_from(&(value.view(corner, size) * shares));
            }
            start += length;
        }
        taken
    }
}

impl Linear {
    fn apply(&self, state: &DMatrix<f64>) -> DMatrix<f64> {
        let mut result = &self.weight * state;
        for mut column in result.column_iter_mut() {
            column += &self.bias;
        }
        result
    }
}

impl Norm {
    /// Each position's numbers to mean 0 and variance 1, then to the learned scale.
    fn apply(&self, state: &mut DMatrix<f64>) {
        for mut column in state.column_iter_mut() {
            column.add_scalar_mut(-column.mean());
            column /= (column.norm_squared() / column.len() as f64 + VARIANCE_MIN).sqrt();
            column.component_mul_assign(&self.weight);
            column += &self.bias;
        }
    }
}

/// The exact form, with the error function.
fn gelu(number: f64) -> f64 {
    number * 0.5 * (1.0 + libm::erf(number / std::f64::consts::SQRT_2))
}

/// The nearest `f32`.
#[allow(clippy::cast_possible_truncation, reason = "the nearest f32 is what is wanted")]
pub fn narrowed(number: f64) -> f32 {
    number as f32
}

/// Named tensors of the file.
struct Tensors<'file>(SafeTensors<'file>);

impl Tensors<'_> {
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let tensor = self.0.tensor(name).with_context(|| format!("the weights have no {name}"))?;
        ensure!(tensor.dtype() == Dtype::F32, "{name} is not of f32");
        ensure!(tensor.shape() == shape, "{name} has the shape {:?}, not {shape:?}", tensor.shape());
        let (numbers, _) = tensor.data().as_chunks::<4>();
        Ok(numbers.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect())
    }

    fn matrix(&self, name: &str, shape: &[usize; 2]) -> Result<DMatrix<f64>> {
        Ok(DMatrix::from_row_slice(shape[0], shape[1], &self.numbers(name, shape)?))
    }

    fn vector(&self, name: &str, length: usize) -> Result<DVector<f64>> {
        Ok(DVector::from_vec(self.numbers(name, &[length])?))
    }

    fn norm(&self, name: &str) -> Result<Norm> {
        Ok(Norm {
            weight: self.vector(&format!("{name}.weight"), WIDTH)?,
            bias: self.vector(&format!("{name}.bias"), WIDTH)?,
        })
    }

    fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Result<Linear> {
        Ok(Linear {
            weight: self.matrix(&format!("{name}.weight"), &[outputs, inputs])?,
            bias: self.vector(&format!("{name}.bias"), outputs)?,
        })
    }

    fn layer(&self, index: usize) -> Result<Layer> {
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let square = |part: &str| self.linear(&name(part), WIDTH, WIDTH);
        Ok(Layer {
            query: square("attention.self.query")?,
            key: square("attention.self.key")?,
            value: square("attention.self.value")?,
            attended: square("attention.output.dense")?,
            attended_norm: self.norm(&name("attention.output.LayerNorm"))?,
            wide: self.linear(&name("intermediate.dense"), 4 * WIDTH, WIDTH)?,
            narrow: self.linear(&name("output.dense"), WIDTH, 4 * WIDTH)?,
            norm: self.norm(&name("output.LayerNorm"))?,
        })
    }
}
