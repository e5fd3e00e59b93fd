import { ChartLegend, TimeSeriesChart } from '@/ui/time-series-chart';
import type { QuotaChart } from './quota-chart';

const HEIGHT = 208;

/** What is left of every window over time; dotted uprights are resets, dashed lines the present pace. */
export function QuotaChartView({ chart, label }: { chart: QuotaChart; label: string }) {
  const solid = chart.series.filter(({ dashed }) => !dashed);
  const notes = [
    ...(chart.resets.length > 0 ? ['dotted: a window began anew'] : []),
    ...(solid.length < chart.series.length ? ['dashed: at the present pace'] : []),
  ];
  return (
    <>
      <TimeSeriesChart
        label={label}
        times={chart.times}
        series={chart.series}
        marks={chart.resets}
        height={HEIGHT}
        max={100}
      />
      <div className="flex flex-wrap justify-between gap-x-6 gap-y-1 px-2 pt-1">
        <ChartLegend series={solid} />
        <p className="text-xs text-ink-3">{notes.join('; ')}</p>
      </div>
    </>
  );
}
