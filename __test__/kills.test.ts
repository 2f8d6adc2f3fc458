import { shareOfStress } from './helpers/stress.js';

const CLEAN = /^24 kills.*: nothing lost, nothing left$/;

shareOfStress('processes are killed at random points', 'kills', 24, CLEAN);
shareOfStress('processes and trackers are killed at random points', 'kills', 24, CLEAN, { tracker: true });
