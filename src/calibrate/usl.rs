//! The Universal Scalability Law, X(L) = λL / (1 + α(L − 1) + βL(L − 1)), by least squares. Pure.
//!
//! Gunther, *Guerrilla Capacity Planning*, chapter 4. The start is the exact solution of the linearised
//! law L / X = a + bL + cL²; Gauss–Newton with Marquardt's damping goes on from there.

use serde::Serialize;

/// A fitted law.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fit {
    /// λ: throughput of the first request or user.
    pub lambda: f64,
    /// α: contention.
    pub alpha: f64,
    /// β: coherency; 0 means that throughput never falls.
    pub beta: f64,
    /// Load at which throughput peaks; `null` (infinite) when it never falls.
    pub peak_at: f64,
    /// Throughput there.
    pub peak: f64,
    /// Share of the variance that it explains.
    pub r_squared: f64,
}

/// Steps at most; the report's rows need about thirty.
const STEPS: usize = 500;

/// Fits points (load, throughput); three at least.
pub fn fit(points: &[(f64, f64)]) -> Option<Fit> {
    if points.len() < 3 {
        return None;
    }
    // Absolute squares have several valleys, and the linearised start may lie in the wrong one.
    let starts =
        [linearised(points), flat(points, 0.01, 1e-5), flat(points, 0.1, 1e-6), flat(points, 1e-3, 1e-7)];
    let found = starts.into_iter().flatten().map(|start| descend(points, start));
    let best = found.min_by(|a, b| squares(points, *a).total_cmp(&squares(points, *b)))?;
    finish(points, best)
}

type Parameters = [f64; 3];

fn value([lambda, alpha, beta]: Parameters, load: f64) -> f64 {
    lambda * load / (1.0 + alpha * (load - 1.0) + beta * load * (load - 1.0))
}

fn squares(points: &[(f64, f64)], parameters: Parameters) -> f64 {
    let sum: f64 = points.iter().map(|(load, seen)| (seen - value(parameters, *load)).powi(2)).sum();
    if is_possible(points, parameters) { sum } else { f64::INFINITY }
}

/// A law that divides by zero or less within the measured loads is none.
fn is_possible(points: &[(f64, f64)], [lambda, alpha, beta]: Parameters) -> bool {
    let divisor = |load: f64| 1.0 + alpha * (load - 1.0) + beta * load * (load - 1.0);
    lambda > 0.0 && alpha >= 0.0 && beta >= 0.0 && points.iter().all(|(load, _)| divisor(*load) > 0.0)
}

/// Without the fall: λ from the lightest load.
fn flat(points: &[(f64, f64)], alpha: f64, beta: f64) -> Option<Parameters> {
    let lightest = points.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some([lightest.1 / lightest.0, alpha, beta])
}

/// Solves L / X = a + bL + cL² for the least squares of X, and reads λ, α, β off it.
fn linearised(points: &[(f64, f64)]) -> Option<Parameters> {
    let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for (load, seen) in points {
        // An error of L / X counts X² / L times as much in X.
        let weight = (seen * seen / load).powi(2);
        let row = [1.0, *load, load * load];
        for (line, left) in row.iter().enumerate() {
            for (column, top) in row.iter().enumerate() {
                matrix[line][column] += weight * left * top;
            }
            right[line] += weight * left * load / seen;
        }
    }
    let [a, b, c] = solve(matrix, right)?;
    let lambda = 1.0 / (a + b + c);
    let clamped = [lambda, (lambda * (b + c)).max(0.0), (lambda * c).max(0.0)];
    is_possible(points, clamped).then_some(clamped)
}

fn descend(points: &[(f64, f64)], start: Parameters) -> Parameters {
    let (mut best, mut damping) = (start, 1e-3);
    for _ in 0..STEPS {
        let Some(step) = step(points, best, damping) else { break };
        // λ stays what it is at least in part, α and β do not fall below nothing.
        let next = [
            (best[0] + step[0]).max(best[0] / 10.0),
            (best[1] + step[1]).max(0.0),
            (best[2] + step[2]).max(0.0),
        ];
        let (before, after) = (squares(points, best), squares(points, next));
        if after < before {
            let is_done = before - after <= before * 1e-14;
            best = next;
            damping = f64::max(damping / 5.0, 1e-15);
            if is_done {
                break;
            }
        } else {
            damping *= 4.0;
            if damping > 1e15 {
                break;
            }
        }
    }
    best
}

/// `(JᵀJ + damping · diag(JᵀJ)) step = Jᵀ residual`.
fn step(points: &[(f64, f64)], parameters: Parameters, damping: f64) -> Option<Parameters> {
    let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for (load, seen) in points {
        let modelled = value(parameters, *load);
        let divisor = parameters[0] * load / modelled;
        let slope = [
            modelled / parameters[0],
            -modelled * (load - 1.0) / divisor,
            -modelled * load * (load - 1.0) / divisor,
        ];
        for line in 0..3 {
            for column in 0..3 {
                matrix[line][column] += slope[line] * slope[column];
            }
            right[line] += slope[line] * (seen - modelled);
        }
    }
    for (line, row) in matrix.iter_mut().enumerate() {
        row[line] *= 1.0 + damping;
    }
    solve(matrix, right)
}

/// Gaussian elimination, rows and columns scaled first: β is a millionth of α.
fn solve(mut matrix: [[f64; 3]; 3], mut right: [f64; 3]) -> Option<[f64; 3]> {
    let scales: [f64; 3] = std::array::from_fn(|index| matrix[index][index].sqrt());
    if scales.iter().any(|scale| *scale <= 0.0 || !scale.is_finite()) {
        return None;
    }
    for line in 0..3 {
        for column in 0..3 {
            matrix[line][column] /= scales[line] * scales[column];
        }
        right[line] /= scales[line];
    }
    for pivot in 0..3 {
        let largest =
            (pivot..3).max_by(|a, b| matrix[*a][pivot].abs().total_cmp(&matrix[*b][pivot].abs()))?;
        matrix.swap(pivot, largest);
        right.swap(pivot, largest);
        if matrix[pivot][pivot].abs() < 1e-300 {
            return None;
        }
        for line in pivot + 1..3 {
            let factor = matrix[line][pivot] / matrix[pivot][pivot];
            let upper = matrix[pivot];
            for (cell, above) in matrix[line].iter_mut().zip(upper) {
                *cell -= factor * above;
            }
            right[line] -= factor * right[pivot];
        }
    }
    let mut solution = [0.0; 3];
    for line in (0..3).rev() {
        let known: f64 = (line + 1..3).map(|column| matrix[line][column] * solution[column]).sum();
        solution[line] = (right[line] - known) / matrix[line][line];
    }
    let unscaled = std::array::from_fn(|index| solution[index] / scales[index]);
    solution.iter().all(|one: &f64| one.is_finite()).then_some(unscaled)
}

fn finish(points: &[(f64, f64)], parameters: Parameters) -> Option<Fit> {
    let [lambda, alpha, beta] = parameters;
    let mean = points.iter().map(|(_, seen)| seen).sum::<f64>() / super::float(points.len());
    let variance: f64 = points.iter().map(|(_, seen)| (seen - mean).powi(2)).sum();
    let left = squares(points, parameters);
    if !left.is_finite() || variance <= 0.0 {
        return None;
    }
    let peak_at = if beta > 0.0 { ((1.0 - alpha).max(0.0) / beta).sqrt() } else { f64::INFINITY };
    let peak = if peak_at.is_finite() { value(parameters, peak_at) } else { lambda / alpha };
    Some(Fit { lambda, alpha, beta, peak_at, peak, r_squared: 1.0 - left / variance })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_law_give_it_back() {
        for law in [[134.0, 0.067, 1.65e-5], [10.0, 0.0, 1e-4], [500.0, 0.3, 1e-8]] {
            let points: Vec<(f64, f64)> =
                [0.7, 5.0, 40.0, 300.0, 2000.0].map(|load| (load, value(law, load))).to_vec();
            let fit = fit(&points).unwrap();
            for (found, expected) in [(fit.lambda, law[0]), (fit.alpha, law[1]), (fit.beta, law[2])] {
                assert!((found - expected).abs() <= expected * 1e-3 + 1e-9, "{law:?} {fit:?}");
            }
            assert!(fit.r_squared > 0.999_999, "{fit:?}");
        }
    }

    #[test]
    fn points_that_say_nothing_give_nothing() {
        assert_eq!(fit(&[]), None);
        assert_eq!(fit(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(fit(&[(5.0, 7.0); 4]), None, "one load alone");
    }
}
