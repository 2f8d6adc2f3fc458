import { shareOfStress } from './helpers/stress.js';

const CLEAN = /^80 kills.*: nothing lost, nothing left$/;

shareOfStress('processes are killed at random points', 'kills', 80, CLEAN);
shareOfStress('processes and trackers are killed at random points', 'kills', 80, CLEAN, { tracker: true });
