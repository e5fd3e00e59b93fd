export { ExportDialog } from './export-dialog';
export { ImportBundleDialog } from './import-bundle-dialog';
