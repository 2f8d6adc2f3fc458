import { shareOfStress } from './helpers/stress.js';

const CLEAN = /^40 kills.*: nothing lost, nothing left$/;

shareOfStress('processes are killed at random points', 'kills', 40, CLEAN);
shareOfStress('processes and trackers are killed at random points', 'kills', 40, CLEAN, { tracker: true });
